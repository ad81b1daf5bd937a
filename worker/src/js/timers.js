// setTimeout and its kin. The table lives here, in the heap: what a request leaves behind is gone with it. The engine
// asks for the next moment, waits, and has one timer fired at a time.
(function (host, internal) {
  'use strict';
  const { elapsed } = host;
  const LONGEST_MS = 2 ** 31 - 1;
  // A binary heap by due time, then by number; `live` forgets what was cleared or has fired.
  const heap = [];
  const live = new Map();
  let numbers = 0;

  const before = (a, b) => a.due < b.due || (a.due === b.due && a.number < b.number);

  function push(timer) {
    let at = heap.length;
    heap[at] = timer;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!before(heap[at], heap[parent])) break;
      [heap[at], heap[parent]] = [heap[parent], heap[at]];
      at = parent;
    }
  }

  function pop() {
    const first = heap[0];
    const last = heap.pop();
    if (heap.length === 0) return first;
    heap[0] = last;
    for (let at = 0; ;) {
      let least = at;
      for (const child of [2 * at + 1, 2 * at + 2]) {
        if (child < heap.length && before(heap[child], heap[least])) least = child;
      }
      if (least === at) return first;
      [heap[at], heap[least]] = [heap[least], heap[at]];
      at = least;
    }
  }

  function start(name, callback, delay, args, repeats) {
    if (typeof callback !== 'function') throw new TypeError(`${name}: the first argument must be a function`);
    const asked = +delay;
    const every = asked >= 1 && asked <= LONGEST_MS ? asked : 1;
    numbers += 1;
    const timer = { number: numbers, due: elapsed() + every, every: repeats ? every : 0, callback, args };
    live.set(timer.number, timer);
    push(timer);
    return timer.number;
  }

  internal.global('setTimeout', function setTimeout(callback, delay = 0, ...args) {
    return start('setTimeout', callback, delay, args, false);
  });
  internal.global('setInterval', function setInterval(callback, delay = 0, ...args) {
    return start('setInterval', callback, delay, args, true);
  });
  const clear = (number) => {
    live.delete(number);
  };
  internal.global('clearTimeout', function clearTimeout(number) { clear(number); });
  internal.global('clearInterval', function clearInterval(number) { clear(number); });

  // When the next timer is due, in milliseconds from the request's start; -1 where there is none.
  internal.nextTimer = () => {
    while (heap.length > 0 && live.get(heap[0].number) !== heap[0]) pop();
    return heap.length > 0 ? heap[0].due : -1;
  };

  // Fires the timer that `nextTimer` spoke of.
  internal.fireTimer = () => {
    const timer = pop();
    if (timer.every > 0) {
      timer.due = elapsed() + timer.every;
      push(timer);
    } else {
      live.delete(timer.number);
    }
    const { callback, args } = timer;
    callback(...args);
  };
})
