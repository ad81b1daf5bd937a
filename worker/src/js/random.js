// Math.random and crypto. The engine's own generator lies in the image and would repeat itself in every request.
(function (host, internal) {
  'use strict';
  const { random, fillRandom, uuid } = host;
  const MOST_BYTES = 65536;

  Object.defineProperty(Math, 'random', {
    value: { random() { return random(); } }.random,
    writable: true,
    configurable: true,
    enumerable: false,
  });

  class Crypto {
    getRandomValues(array) {
      const filled = fillRandom(array, MOST_BYTES);
      if (filled === -1) throw new TypeError('crypto.getRandomValues: the argument must be a typed array of integers');
      if (filled === -2) throw new RangeError(`crypto.getRandomValues: at most ${MOST_BYTES} bytes at a time`);
      return array;
    }

    randomUUID() {
      return uuid();
    }
  }
  internal.global('crypto', new Crypto());
})
