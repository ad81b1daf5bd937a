// fazt.storage.s3: blobs.
(function (host, internal) {
  'use strict';
  const { check } = internal;
  const { s3Put, s3Get, s3Head, s3Delete, s3List, decodeUtf8, base64, kind } = host;
  const { parse } = JSON;
  const MOST_ENTRIES = 1000;

  const pathOf = (op, path) => {
    if (check.string(op, 'path', path) === '') throw check.invalid(op, 'path must not be empty');
    return path;
  };

  class Blob {
    text() {
      return decodeUtf8(this.data);
    }

    json() {
      return parse(decodeUtf8(this.data));
    }

    base64() {
      return base64(this.data);
    }
  }
  const made = Blob.prototype;

  internal.s3 = {
    // (path, data), (path, data, mime), (path, data, options) or (path, data, mime, options)
    put(path, data, mime, options) {
      const op = 's3.put';
      pathOf(op, path);
      if (typeof mime === 'object' && mime !== null && options === undefined) {
        options = mime;
        mime = undefined;
      }
      const what = typeof data === 'string' ? 'string' : kind(data);
      if (what !== 'string' && what !== 'buffer' && what !== 'typed') {
        throw check.invalid(op, 'data must be a string, an ArrayBuffer or a typed array');
      }
      return s3Put(path, data, check.optionalString(op, 'mime', mime), check.once(op, options));
    },

    get(path, range) {
      const op = 's3.get';
      pathOf(op, path);
      const given = check.options(op, 'range', range, ['start', 'end']);
      const start = check.count(op, 'start', given.start, 0, 2 ** 53 - 1, range === undefined ? -1 : 0);
      const end = check.count(op, 'end', given.end, start, 2 ** 53 - 1, -1);
      const found = s3Get(path, start, end);
      if (found === null) return null;
      const { 0: data, 1: mime, 2: size, 3: hash, 4: updatedAt } = found;
      return { __proto__: made, data, mime, size, etag: `"${hash}"`, hash, updatedAt };
    },

    head(path) {
      const found = s3Head(pathOf('s3.head', path));
      if (found === null) return null;
      const { 1: mime, 2: size, 3: hash, 4: updatedAt } = found;
      return { path, mime, size, etag: `"${hash}"`, hash, updatedAt };
    },

    delete(path, options) {
      const op = 's3.delete';
      return s3Delete(pathOf(op, path), check.once(op, options));
    },

    list(prefix = '', options = undefined) {
      const op = 's3.list';
      check.string(op, 'prefix', prefix);
      const given = check.options(op, 'options', options, ['limit', 'after']);
      const limit = check.count(op, 'limit', given.limit, 1, MOST_ENTRIES, MOST_ENTRIES);
      return s3List(prefix, limit, check.optionalString(op, 'after', given.after));
    },
  };
})
