// performance: steps of one millisecond, counted from the request's start. Date steps by milliseconds by itself.
(function (host, internal) {
  'use strict';
  const { now, origin } = host;
  class Performance {
    now() {
      return now();
    }

    get timeOrigin() {
      return origin();
    }

    toJSON() {
      return { timeOrigin: origin() };
    }
  }
  internal.global('performance', new Performance());
})
