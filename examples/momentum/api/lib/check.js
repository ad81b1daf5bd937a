// What a request may hold. A rule that is broken becomes an answer with the rule in words.

const TEXT_LENGTH = 500

class Rejected extends Error {
  constructor(status, message) {
    super(message)
    this.status = status
  }
}

// A list belongs to whoever knows its session: the page makes a random one.
function session(value) {
  if (typeof value !== 'string' || !/^[A-Za-z0-9_-]{1,64}$/.test(value)) {
    throw new Rejected(400, 'session is 1 to 64 letters, digits, - or _')
  }
  return value
}

function text(value) {
  if (typeof value !== 'string' || value.trim() === '') {
    throw new Rejected(400, 'text is a string that says something')
  }
  const trimmed = value.trim()
  if (trimmed.length > TEXT_LENGTH) {
    throw new Rejected(400, 'text has at most ' + TEXT_LENGTH + ' characters')
  }
  return trimmed
}

function done(value) {
  if (typeof value !== 'boolean') {
    throw new Rejected(400, 'done is true or false')
  }
  return value
}

function object(body) {
  if (body === null || typeof body !== 'object' || Array.isArray(body) || body instanceof ArrayBuffer) {
    throw new Rejected(400, 'the body is a JSON object')
  }
  return body
}

module.exports = { Rejected, session, text, done, object }
