// fazt.storage.kv
(function (host, internal) {
  'use strict';
  const { check } = internal;
  const { kvGet, kvGetVersion, kvGetMany, kvSet, kvDelete, kvIncr, kvList } = host;
  const { isFinite } = Number;
  const LONGEST_TTL_MS = 100 * 365 * 24 * 3600 * 1000;
  const MOST_KEYS = 256;
  const MOST_ENTRIES = 1000;

  internal.kv = {
    set(key, value, options, last) {
      const op = 'kv.set';
      check.string(op, 'key', key);
      const json = check.json(op, 'value', value);
      const given = typeof options === 'number'
        ? { ttlMs: options }
        : check.options(op, 'options', options, ['ttlMs', 'ifAbsent', 'ifVersion', 'once']);
      const ttl = given.ttlMs === undefined ? -1 : check.count(op, 'ttlMs', given.ttlMs, 1, LONGEST_TTL_MS);
      const version = given.ifVersion === undefined ? -1 : check.count(op, 'ifVersion', given.ifVersion, 0, 2 ** 53 - 1);
      if (given.ifAbsent !== undefined && typeof given.ifAbsent !== 'boolean') {
        throw check.invalid(op, 'ifAbsent must be a boolean');
      }
      const absent = given.ifAbsent === true;
      if (absent && version >= 0) throw check.invalid(op, 'ifAbsent and ifVersion exclude each other');
      const own = check.token(op, given.once);
      const further = check.once(op, last);
      const once = own === undefined ? further : own;
      return kvSet(key, json, ttl, absent, version, once);
    },

    get(key) {
      return kvGet(check.string('kv.get', 'key', key));
    },

    getVersion(key) {
      return kvGetVersion(check.string('kv.getVersion', 'key', key));
    },

    getMany(keys) {
      const op = 'kv.getMany';
      return kvGetMany(check.array(op, 'keys', keys, MOST_KEYS, (name, key) => check.string(op, name, key)));
    },

    delete(key, options) {
      const op = 'kv.delete';
      return kvDelete(check.string(op, 'key', key), check.once(op, options));
    },

    // (key), (key, by), (key, options) or (key, by, options)
    incr(key, by = 1, options = undefined) {
      const op = 'kv.incr';
      check.string(op, 'key', key);
      if (typeof by === 'object' && by !== null && options === undefined) {
        options = by;
        by = 1;
      }
      if (typeof by !== 'number' || !isFinite(by)) throw check.invalid(op, 'by must be a finite number');
      return kvIncr(key, by, check.once(op, options));
    },

    list(prefix = '', options = undefined) {
      const op = 'kv.list';
      check.string(op, 'prefix', prefix);
      const given = check.options(op, 'options', options, ['limit', 'after']);
      const limit = check.count(op, 'limit', given.limit, 1, MOST_ENTRIES, MOST_ENTRIES);
      return kvList(prefix, limit, check.optionalString(op, 'after', given.after));
    },
  };
})
