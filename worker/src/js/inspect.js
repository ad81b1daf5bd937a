// Values as people read them in a log, the way Node writes them: nested four deep, cycles marked, getters not called (but
// the request's own), proxies not asked, and never more than fits a line of the log.
(function (host, internal) {
  'use strict';
  const { kind, proxyTarget } = host;
  const { getOwnPropertyDescriptor, getPrototypeOf, keys, getOwnPropertySymbols } = Object;
  const { toISOString } = Date.prototype;
  const { toString: regexpSource } = RegExp.prototype;
  const { forEach: eachOfMap } = Map.prototype;
  const { forEach: eachOfSet } = Set.prototype;
  const { toString: functionSource } = Function.prototype;
  const { apply, ownKeys } = Reflect;
  const { stringify } = JSON;
  const { stackOf, isLazy } = internal;
  const bufferSize = getOwnPropertyDescriptor(ArrayBuffer.prototype, 'byteLength').get;
  const WIDTH = 72;
  const MOST_ELEMENTS = 100;
  const MOST_STRING = 10000;
  const MOST_TEXT = 16384;
  const PLAIN_KEY = /^[A-Za-z_$][A-Za-z0-9_$]*$/;

  const quote = (text) => {
    const body = stringify(text.length > MOST_STRING ? text.slice(0, MOST_STRING) : text).slice(1, -1);
    const rest = text.length > MOST_STRING ? `... ${text.length - MOST_STRING} more characters` : '';
    const plain = body.includes("'") ? `"${body}"` : `'${body.replaceAll('\\"', '"')}'`;
    return plain + rest;
  };

  function primitive(value) {
    switch (typeof value) {
      case 'string': return quote(value);
      case 'number': return value === 0 && 1 / value < 0 ? '-0' : `${value}`;
      case 'bigint': return `${value}n`;
      case 'symbol': return value.toString();
      default: return `${value}`;
    }
  }

  function nameOf(value) {
    for (let proto = value, steps = 0; proto !== null && steps < 8; proto = getPrototypeOf(proto), steps += 1) {
      if (kind(proto) === 'proxy') return '';
      const made = getOwnPropertyDescriptor(proto, 'constructor')?.value;
      if (typeof made === 'function' && kind(made) !== 'proxy') {
        const name = getOwnPropertyDescriptor(made, 'name')?.value;
        return typeof name === 'string' ? name : '';
      }
    }
    return null;
  }

  function functionLabel(value) {
    const own = getOwnPropertyDescriptor(value, 'name')?.value;
    const name = typeof own === 'string' && own !== '' ? own : '(anonymous)';
    if (apply(functionSource, value, []).startsWith('class')) return `[class ${name}]`;
    return `[Function${name === '(anonymous)' ? ' ' : ': '}${name}]`;
  }

  function property(value, key, state) {
    const own = getOwnPropertyDescriptor(value, key);
    const name = typeof key === 'symbol' ? `[${key.toString()}]` : PLAIN_KEY.test(key) ? key : quote(key);
    const label = own?.enumerable === false && typeof key !== 'symbol' ? `[${name}]` : name;
    if (own === undefined) return `${label}: undefined`;
    if (own.get !== undefined && isLazy(own.get)) return `${label}: ${inspect(apply(own.get, value, []), state)}`;
    if (own.get !== undefined) return `${label}: ${own.set === undefined ? '[Getter]' : '[Getter/Setter]'}`;
    if (own.set !== undefined) return `${label}: [Setter]`;
    return `${label}: ${inspect(own.value, state)}`;
  }

  function elements(value, state) {
    const parts = [];
    const { length } = value;
    for (let at = 0; at < length && at < MOST_ELEMENTS && state.left > 0; at += 1) {
      const own = getOwnPropertyDescriptor(value, at);
      if (own === undefined) parts.push('<empty>');
      else if (own.get !== undefined || own.set !== undefined) parts.push('[Getter]');
      else parts.push(inspect(own.value, state));
    }
    if (length > parts.length) parts.push(`... ${length - parts.length} more item${length - parts.length > 1 ? 's' : ''}`);
    return parts;
  }

  function entries(value, of, state) {
    const parts = [];
    let count = 0;
    apply(of === 'map' ? eachOfMap : eachOfSet, value, [(element, key) => {
      count += 1;
      if (count > MOST_ELEMENTS || state.left <= 0) return;
      const shown = inspect(element, state);
      parts.push(of === 'map' ? `${inspect(key, state)} => ${shown}` : shown);
    }]);
    if (count > parts.length) parts.push(`... ${count - parts.length} more items`);
    return [parts, count];
  }

  function properties(value, state, skip) {
    const all = state.hidden && skip !== 'hidden' ? ownKeys(value) : [...keys(value), ...getOwnPropertySymbols(value)];
    const parts = [];
    for (const key of skip === 'indices' ? all.filter((one) => typeof one === 'symbol' || !/^\d+$/.test(one)) : all) {
      if (parts.length >= MOST_ELEMENTS || state.left <= 0) {
        parts.push('...');
        break;
      }
      parts.push(property(value, key, state));
    }
    return parts;
  }

  function frame(prefix, open, parts, close, state) {
    const head = prefix === '' ? '' : `${prefix} `;
    if (parts.length === 0) return `${head}${open}${close}`;
    const line = `${head}${open} ${parts.join(', ')} ${close}`;
    if (line.length <= WIDTH && !line.includes('\n')) return line;
    const indent = '  '.repeat(state.depth);
    return `${head}${open}\n${indent}${parts.join(`,\n${indent}`)}\n${'  '.repeat(state.depth - 1)}${close}`;
  }

  const label = (value, fallback) => {
    const name = nameOf(value);
    return name === null ? `[${fallback}: null prototype]` : name === fallback ? '' : name;
  };

  function object(value, state) {
    const what = kind(value);
    switch (what) {
      case 'proxy': return state.depth > state.deepest ? '[Proxy]' : inspect(proxyTarget(value), state);
      case 'error': {
        const stack = getOwnPropertyDescriptor(value, 'stack')?.value ?? apply(stackOf, value, []);
        const head = headline(value);
        const text = typeof stack === 'string' && stack !== '' ? `${head}\n${stack.trimEnd()}` : `[${head}]`;
        const extra = properties(value, state).filter((part) => !/^(stack|message|name):/.test(part));
        return extra.length === 0 ? text : frame(text, '{', extra, '}', state);
      }
      case 'date': try { return apply(toISOString, value, []); } catch { return 'Invalid Date'; }
      case 'regexp': return apply(regexpSource, value, []);
      case 'function': {
        const parts = properties(value, state, 'hidden');
        return parts.length === 0 ? functionLabel(value) : frame(functionLabel(value), '{', parts, '}', state);
      }
      case 'array': {
        const parts = elements(value, state);
        return frame(label(value, 'Array'), '[', [...parts, ...properties(value, state, 'indices')], ']', state);
      }
      case 'typed': return frame(`${nameOf(value)}(${value.length})`, '[', elements(value, state), ']', state);
      case 'buffer': return `ArrayBuffer { byteLength: ${apply(bufferSize, value, [])} }`;
      case 'map': case 'set': {
        const [parts, count] = entries(value, what, state);
        return frame(`${nameOf(value)}(${count})`, '{', [...parts, ...properties(value, state)], '}', state);
      }
      case 'promise-pending': return 'Promise { <pending> }';
      case 'promise-fulfilled': return 'Promise { <fulfilled> }';
      case 'promise-rejected': return 'Promise { <rejected> }';
      case 'weak': return `${nameOf(value)} { <items unknown> }`;
      default: return frame(label(value, 'Object'), '{', properties(value, state), '}', state);
    }
  }

  function headline(error) {
    const read = (key) => {
      for (let at = error, steps = 0; at !== null && steps < 8; at = getPrototypeOf(at), steps += 1) {
        if (kind(at) === 'proxy') return '';
        const own = getOwnPropertyDescriptor(at, key);
        if (own !== undefined) return typeof own.value === 'string' ? own.value : '';
      }
      return '';
    };
    const [name, message] = [read('name') || 'Error', read('message')];
    return message === '' ? name : `${name}: ${message}`;
  }

  function inspect(value, state) {
    if ((typeof value !== 'object' && typeof value !== 'function') || value === null) {
      const text = primitive(value);
      state.left -= text.length;
      return text;
    }
    if (state.seen.includes(value)) return '[Circular]';
    const what = kind(value);
    const flat = what === 'error' || what === 'date' || what === 'regexp' || what === 'function';
    if (state.depth > state.deepest && !flat) return what === 'array' ? '[Array]' : `[${nameOf(value) || 'Object'}]`;
    state.seen.push(value);
    const inner = { ...state, depth: state.depth + 1 };
    const text = object(value, inner);
    state.left = inner.left - 8;
    state.seen.pop();
    return text;
  }

  internal.inspect = (value, deepest = 4, hidden = false) => {
    try {
      return inspect(value, { depth: 0, deepest, hidden, seen: [], left: MOST_TEXT });
    } catch {
      return '[a value that cannot be shown]';
    }
  };
  internal.headline = headline;
})
