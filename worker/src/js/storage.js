// What kv, ds and s3 share: StorageError, and checks of arguments. Everything that a caller gave is read once, here, and
// turned into plain strings and numbers before anything native sees it. An app may have replaced every method of every
// prototype: lists are walked by their numbers, and what is called was taken before the app came.
(function (host, internal) {
  'use strict';
  const { stringify } = JSON;
  const { isArray } = Array;
  const { keys, defineProperty } = Object;
  const { captureStackTrace } = Error;
  const { isSafeInteger } = Number;

  class StorageError extends Error {
    constructor(code, message, op, retryable, outcome) {
      super(message);
      this.code = code;
      this.retryable = retryable;
      this.outcome = outcome;
      this.op = op;
    }
  }
  Object.defineProperty(StorageError.prototype, 'name', { value: 'StorageError', writable: true, configurable: true });
  internal.StorageError = StorageError;
  internal.storageErrorPrototype = StorageError.prototype;
  internal.makeStorageError = (code, message, op, retryable, outcome) =>
    new StorageError(code, message, op, retryable, outcome);

  const invalid = (op, message) => {
    const error = new StorageError('INVALID_ARGUMENT', `${op}: ${message}`, op, false, 'none');
    captureStackTrace(error, invalid);
    return error;
  };

  const what = (value) => {
    if (value === null) return 'null';
    if (isArray(value)) return 'an array';
    return typeof value === 'object' ? 'an object' : typeof value === 'undefined' ? 'undefined' : `a ${typeof value}`;
  };

  // By hand: includes, join and iterators are an app's to replace, and an assignment asks the setters of Array.prototype.
  const has = (list, wanted) => {
    for (let at = 0; at < list.length; at += 1) if (list[at] === wanted) return true;
    return false;
  };
  const joined = (list) => {
    let text = '';
    for (let at = 0; at < list.length; at += 1) text += at === 0 ? list[at] : `, ${list[at]}`;
    return text;
  };
  const put = (list, at, value) =>
    defineProperty(list, at, { __proto__: null, value, writable: true, enumerable: true, configurable: true });

  internal.check = {
    invalid,

    string(op, name, value) {
      if (typeof value !== 'string') throw invalid(op, `${name} must be a string, not ${what(value)}`);
      return value;
    },

    optionalString(op, name, value) {
      return value === undefined ? undefined : this.string(op, name, value);
    },

    // A whole number within bounds.
    count(op, name, value, least, most, fallback) {
      if (value === undefined && fallback !== undefined) return fallback;
      if (typeof value !== 'number' || !isSafeInteger(value) || value < least || value > most) {
        throw invalid(op, `${name} must be a whole number from ${least} to ${most}`);
      }
      return value;
    },

    // An object's own properties, of those that are known: any other name is an error, lest a call be silently changed.
    options(op, name, value, known) {
      const read = { __proto__: null };
      if (value === undefined) return read;
      if (typeof value !== 'object' || value === null || isArray(value)) {
        throw invalid(op, `${name} must be an object, not ${what(value)}`);
      }
      const names = keys(value);
      for (let at = 0; at < names.length; at += 1) {
        const key = names[at];
        if (!has(known, key)) throw invalid(op, `${name} has no option ${stringify(key)}; there are: ${joined(known)}`);
        read[key] = value[key];
      }
      return read;
    },

    // A write's token, or undefined.
    token(op, value) {
      if (value !== undefined && this.string(op, 'once', value) === '') throw invalid(op, 'once must not be empty');
      return value;
    },

    // The token in the last argument of a write, `{ once: token }`.
    once(op, options) {
      return this.token(op, this.options(op, 'options', options, ['once']).once);
    },

    // A plain object: not an array, a Map or the like.
    plain(op, name, value) {
      if (typeof value !== 'object' || value === null || isArray(value)) {
        throw invalid(op, `${name} must be an object, not ${what(value)}`);
      }
      return value;
    },

    json(op, name, value) {
      let text;
      try {
        text = stringify(value);
      } catch (error) {
        throw invalid(op, `${name} cannot be written as JSON: ${internal.headline(Object(error))}`);
      }
      if (text === undefined) throw invalid(op, `${name} must be a JSON value, not ${what(value)}`);
      return text;
    },

    // A copy whose elements were each checked: `element(its name, it)` throws where one is wrong. Its length is looked at
    // before anything is copied.
    array(op, name, value, most, element) {
      if (!isArray(value)) throw invalid(op, `${name} must be an array, not ${what(value)}`);
      const { length } = value;
      if (!isSafeInteger(length) || length < 0 || length > most) {
        throw invalid(op, `${name} must have at most ${most} elements`);
      }
      const copy = [];
      for (let at = 0; at < length; at += 1) {
        const one = value[at];
        element(`${name}[${at}]`, one);
        put(copy, at, one);
      }
      return copy;
    },
  };
})
