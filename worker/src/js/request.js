// The request object. It lies in the heap as every request finds it, and each part is made when it is first asked for: most
// handlers look at two or three of a dozen. To an app they are properties like any other, but that the descriptor of one that
// was never set shows a getter.
(function (host, internal) {
  'use strict';
  const { bodyText, requestText, requestQuery, requestQueryAll, requestHeaders, requestCookies } = host;
  const { defineProperty } = Object;
  const { add, has } = Set.prototype;
  const { apply } = Reflect;
  const TEXTS = ['id', 'method', 'path', 'url', 'host', 'ip'];
  const UNMADE = Object.freeze(Object.create(null));
  const made = [];
  const getters = new Set();

  class Request {
    get text() {
      return bodyText();
    }
  }
  const request = { __proto__: Request.prototype };

  // A descriptor inherits nothing: what an app has put on Object.prototype would count as part of it.
  const plain = (object, name, value) =>
    defineProperty(object, name, { __proto__: null, value, writable: true, enumerable: true, configurable: true });

  function lazy(name, make) {
    const at = made.length;
    made[at] = UNMADE;
    const get = () => {
      if (made[at] === UNMADE) made[at] = make();
      return made[at];
    };
    // As setting any property does: on whatever it was set on, and not where that is frozen.
    function set(value) {
      plain(this, name, value);
    }
    apply(add, getters, [get]);
    defineProperty(request, name, { get, set, enumerable: true, configurable: true });
  }

  TEXTS.forEach((name, at) => lazy(name, () => requestText(at)));
  lazy('query', requestQuery);
  lazy('queryAll', requestQueryAll);
  lazy('headers', requestHeaders);
  lazy('cookies', requestCookies);
  plain(request, 'body', undefined);
  plain(request, 'files', {});
  plain(request, 'params', {});
  plain(request, 'user', undefined);
  internal.global('request', request);

  // For a heap that is used again, which only measurements do.
  internal.forgetRequest = () => {
    for (let at = 0; at < made.length; at += 1) made[at] = UNMADE;
  };

  // The body is read before anything of the app runs, for it may be wrong.
  internal.carry = (body, files) => {
    plain(request, 'body', body);
    if (files !== undefined) plain(request, 'files', files);
  };
  internal.request = request;
  internal.isLazy = (getter) => apply(has, getters, [getter]);
})
