// fazt.storage.ds: documents, queries and changes are checked in form here and in meaning by the store.
(function (host, internal) {
  'use strict';
  const { check } = internal;
  const { isArray } = Array;
  const { dsInsert, dsInsertMany, dsFind, dsFindOne, dsUpdate, dsDelete, dsCount } = host;
  const MOST_DOCUMENTS = 1000;
  const MOST_ORDER = 8;

  const collectionOf = (op, collection) => check.string(op, 'collection', collection);
  const queryOf = (op, query) => check.json(op, 'query', check.plain(op, 'query', query));
  const idOrQueryOf = (op, given) => {
    if (typeof given === 'string') return check.json(op, 'id', given);
    if (typeof given !== 'object' || given === null || isArray(given)) {
      throw check.invalid(op, 'the second argument must be an id (a string) or a query (an object)');
    }
    return queryOf(op, given);
  };

  function orderOf(op, order) {
    if (order === undefined) return [];
    const element = (name, field) => {
      check.string(op, name, field);
      if (field === '' || field === '-') throw check.invalid(op, 'order must name a field');
    };
    if (typeof order !== 'string') return check.array(op, 'order', order, MOST_ORDER, element);
    element('order', order);
    return [order];
  }

  internal.ds = {
    insert(collection, document, options) {
      const op = 'ds.insert';
      collectionOf(op, collection);
      const text = check.json(op, 'doc', check.plain(op, 'doc', document));
      return dsInsert(collection, text, check.once(op, options));
    },

    insertMany(collection, documents, options) {
      const op = 'ds.insertMany';
      collectionOf(op, collection);
      const element = (name, document) => check.plain(op, name, document);
      const list = check.array(op, 'docs', documents, MOST_DOCUMENTS, element);
      return dsInsertMany(collection, check.json(op, 'docs', list), check.once(op, options));
    },

    find(collection, query = {}, options = undefined) {
      const op = 'ds.find';
      collectionOf(op, collection);
      const text = queryOf(op, query);
      const given = check.options(op, 'options', options, ['limit', 'offset', 'order']);
      const limit = check.count(op, 'limit', given.limit, 1, MOST_DOCUMENTS, MOST_DOCUMENTS);
      const offset = check.count(op, 'offset', given.offset, 0, 2 ** 31 - 1, 0);
      return dsFind(collection, text, limit, offset, orderOf(op, given.order));
    },

    findOne(collection, idOrQuery) {
      const op = 'ds.findOne';
      return dsFindOne(collectionOf(op, collection), idOrQueryOf(op, idOrQuery));
    },

    update(collection, idOrQuery, changes, options) {
      const op = 'ds.update';
      collectionOf(op, collection);
      const query = idOrQueryOf(op, idOrQuery);
      const text = check.json(op, 'changes', check.plain(op, 'changes', changes));
      return dsUpdate(collection, `{"query":${query},"changes":${text}}`, check.once(op, options));
    },

    delete(collection, idOrQuery, options) {
      const op = 'ds.delete';
      return dsDelete(collectionOf(op, collection), idOrQueryOf(op, idOrQuery), check.once(op, options));
    },

    count(collection, query = {}) {
      const op = 'ds.count';
      return dsCount(collectionOf(op, collection), queryOf(op, query));
    },
  };
})
