// console: Node's format specifiers, and values as inspect.js shows them. How many lines, and how long, is limited outside.
(function (host, internal) {
  'use strict';
  const { printable, print, elapsed, kind } = host;
  const { inspect } = internal;
  const { stringify } = JSON;
  const [DEBUG, INFO, WARN, ERROR] = [0, 1, 2, 3];
  const started = new Map();
  const counts = new Map();
  let indent = '';

  const isObject = (value) => (typeof value === 'object' && value !== null) || typeof value === 'function';
  const show = (value) => (typeof value === 'string' ? value : inspect(value));

  function number(value, parse) {
    if (typeof value === 'bigint') return `${value}n`;
    if (typeof value === 'symbol' || isObject(value)) return 'NaN';
    return `${parse(value)}`;
  }

  function json(value) {
    try {
      return `${stringify(value)}`;
    } catch {
      return '[Circular]';
    }
  }

  function specified(letter, value) {
    switch (letter) {
      case 's':
        if (typeof value === 'bigint') return `${value}n`;
        return isObject(value) ? inspect(value, 0) : typeof value === 'symbol' ? value.toString() : `${value}`;
      case 'd': return number(value, Number);
      case 'i': return number(value, (given) => parseInt(given, 10));
      case 'f': return number(value, parseFloat);
      case 'j': return json(value);
      case 'o': return inspect(value, 4, true);
      case 'O': return inspect(value, 4);
      default: return '';
    }
  }

  function format(values) {
    let used = 0;
    let text = '';
    if (typeof values[0] === 'string') {
      used = 1;
      text = values.length === 1 ? values[0] : values[0].replace(/%[sdifjoOc%]/g, (found) => {
        if (found === '%%') return '%';
        if (used >= values.length) return found;
        used += 1;
        return specified(found[1], values[used - 1]);
      });
    }
    for (let at = used; at < values.length; at += 1) text += (at === 0 ? '' : ' ') + show(values[at]);
    return text;
  }

  function write(level, values) {
    // Asked first: what would be dropped is not even formatted.
    if (printable()) print(level, indent === '' ? format(values) : indent + format(values).replaceAll('\n', `\n${indent}`));
  }

  const name = (label) => (label === undefined ? 'default' : `${label}`);
  const span = (ms) => (ms >= 1000 ? `${(ms / 1000).toFixed(3)}s` : `${Math.floor(ms)}ms`);

  function lap(label, values) {
    const since = started.get(name(label));
    if (since === undefined) return write(WARN, [`No such label '${name(label)}' for console.timeEnd()`]);
    return write(INFO, [`${name(label)}: ${span(elapsed() - since)}`, ...values]);
  }

  const console = {
    log(...values) { write(INFO, values); },
    info(...values) { write(INFO, values); },
    warn(...values) { write(WARN, values); },
    error(...values) { write(ERROR, values); },
    debug(...values) { write(DEBUG, values); },
    trace(...values) {
      const here = {};
      Error.captureStackTrace(here, console.trace);
      write(DEBUG, [`Trace${values.length > 0 ? `: ${format(values)}` : ''}\n${`${here.stack}`.trimEnd()}`.replaceAll('%', '%%'), '']);
    },
    dir(value) { write(INFO, [inspect(value)]); },
    table(...values) { write(INFO, values); },
    assert(truth, ...values) {
      if (!truth) write(ERROR, typeof values[0] === 'string' ? [`Assertion failed: ${values[0]}`, ...values.slice(1)] : ['Assertion failed', ...values]);
    },
    count(label) {
      const count = (counts.get(name(label)) ?? 0) + 1;
      counts.set(name(label), count);
      write(INFO, [`${name(label)}: ${count}`]);
    },
    time(label) { started.set(name(label), elapsed()); },
    timeLog(label, ...values) { lap(label, values); },
    timeEnd(label) {
      lap(label, []);
      started.delete(name(label));
    },
    group(...values) {
      if (values.length > 0) write(INFO, values);
      if (indent.length < 64) indent += '  ';
    },
    groupEnd() { indent = indent.slice(2); },
  };
  internal.global('console', console);
  internal.format = format;
})
