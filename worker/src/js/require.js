// require(), for the app's own files. What a name means is decided outside, where no script can reach.
(function (host, internal) {
  'use strict';
  const { resolve, moduleCode, moduleText, parseJSON } = host;
  const { apply } = Reflect;
  const MAIN = 'api/main.js';
  const modules = new Map();

  function load(path) {
    const known = modules.get(path);
    if (known !== undefined) return known.exports;
    const module = { id: path, filename: path, loaded: false, exports: {} };
    // Before it runs: a module in a cycle finds what there is so far, as in Node.
    modules.set(path, module);
    try {
      if (path.endsWith('.json')) {
        module.exports = parseJSON(moduleText(path), path);
      } else {
        const directory = path.slice(0, path.lastIndexOf('/'));
        const wrapper = moduleCode(path);
        apply(wrapper, module.exports, [module.exports, requireFrom(path), module, path, directory]);
      }
    } catch (error) {
      modules.delete(path);
      throw error;
    }
    module.loaded = true;
    return module.exports;
  }

  function requireFrom(path) {
    return function require(name) {
      if (typeof name !== 'string') throw new TypeError('require: the argument must be a string');
      return load(resolve(path, name));
    };
  }

  const main = { id: '.', filename: MAIN, loaded: false, exports: {} };
  modules.set(MAIN, main);
  internal.global('require', requireFrom(MAIN));
  internal.global('module', main);
  internal.global('exports', main.exports);
  internal.mainExports = () => main.exports;
})
