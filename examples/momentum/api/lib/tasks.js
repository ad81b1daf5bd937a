// Tasks: documents of one collection, and beside them one counter a session of the tasks ever added.

const check = require('./check')

const COLLECTION = 'tasks'
const LIST_LENGTH = 1000

// Newest first, at most a thousand.
function list(session) {
  return fazt.storage.ds.find(COLLECTION, { session: check.session(session) }, { limit: LIST_LENGTH })
}

function get(id) {
  const task = fazt.storage.ds.findOne(COLLECTION, id)
  if (!task) {
    throw new check.Rejected(404, 'there is no task ' + id)
  }
  return task
}

function add(body) {
  const { session, text } = check.object(body)
  const task = { session: check.session(session), text: check.text(text), done: false }
  const id = fazt.storage.ds.insert(COLLECTION, task)
  fazt.storage.kv.incr(counter(task.session))
  console.log('added task %s', id)
  return get(id)
}

// Toggles, renames, or both.
function change(id, body) {
  const { text, done } = check.object(body)
  const changes = {}
  if (text !== undefined) {
    changes.text = check.text(text)
  }
  if (done !== undefined) {
    changes.done = check.done(done)
  }
  if (Object.keys(changes).length === 0) {
    throw new check.Rejected(400, 'there is neither text nor done to change')
  }
  if (fazt.storage.ds.update(COLLECTION, id, changes) === 0) {
    throw new check.Rejected(404, 'there is no task ' + id)
  }
  return get(id)
}

function remove(id) {
  if (fazt.storage.ds.delete(COLLECTION, id) === 0) {
    throw new check.Rejected(404, 'there is no task ' + id)
  }
  return { removed: id }
}

function stats(session) {
  const mine = list(session)
  const done = mine.filter((task) => task.done).length
  return { session, added: fazt.storage.kv.get(counter(session)) || 0, open: mine.length - done, done }
}

function counter(session) {
  return 'added:' + session
}

module.exports = { list, get, add, change, remove, stats }
