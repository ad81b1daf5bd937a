// The global `fazt`. Last of the prelude; who the app is comes when the worker learns it.
(function (host, internal) {
  'use strict';
  const { log, deadline } = host;
  const { kv, ds, s3, format } = internal;
  const { stringify } = JSON;
  const [DEBUG, INFO, WARN, ERROR] = [0, 1, 2, 3];
  const variables = new Map();

  const line = (level) => (message, fields) => {
    let text = typeof message === 'string' ? message : format([message]);
    if (fields !== undefined) {
      let json;
      try {
        json = stringify(fields);
      } catch {
        json = undefined;
      }
      text += ` ${json ?? format([fields])}`;
    }
    log(level, text);
  };

  const fazt = {
    version: '',
    app: { id: '', name: '', version: 0, kv, ds, s3 },
    env: {
      get(key, fallback) {
        const value = variables.get(`${key}`);
        return value === undefined ? fallback : value;
      },
      has(key) { return variables.has(`${key}`); },
      all() { return Object.fromEntries(variables); },
    },
    log: { debug: line(DEBUG), info: line(INFO), warn: line(WARN), error: line(ERROR) },
    storage: { kv, ds, s3, StorageError: internal.StorageError },
    deadline() { return deadline(); },
  };
  internal.global('fazt', fazt);

  internal.introduce = (farmVersion, name, version, env) => {
    fazt.version = farmVersion;
    fazt.app.id = name;
    fazt.app.name = name;
    fazt.app.version = version;
    for (let at = 0; at < env.length; at += 2) variables.set(env[at], env[at + 1]);
  };
})
