// respond(). The engine reads an answer's three properties itself.
(function (host, internal) {
  'use strict';
  // What makes an answer one: an app can find it out, and gains nothing.
  const brand = Object.freeze(Object.create(null));
  let last;

  internal.global('respond', function respond(first, body, headers) {
    const status = arguments.length > 1 || typeof first === 'number' ? first : 200;
    const content = arguments.length > 1 ? body : typeof first === 'number' ? undefined : first;
    last = { __proto__: brand, status, body: content, headers };
    return last;
  });
  internal.answerBrand = brand;
  internal.lastAnswer = () => last;

  // Settles as whatever a value that has a `then` settles as.
  const { Promise } = globalThis;
  internal.adopt = (value) => new Promise((resolve) => resolve(value));
})
