// Every request under /api/ comes here. It finds the route and answers; what a task is and how it is kept stands in
// lib/tasks.js. Nothing lives longer than one request but what the store keeps.

const tasks = require('./lib/tasks')
const { Rejected } = require('./lib/check')

const routes = {
  '/api/tasks': {
    GET: (request) => respond(tasks.list(request.query.session)),
    POST: (request) => respond(201, tasks.add(request.body))
  },
  '/api/tasks/:id': {
    GET: (request, id) => respond(tasks.get(id)),
    PATCH: (request, id) => respond(tasks.change(id, request.body)),
    DELETE: (request, id) => respond(tasks.remove(id))
  },
  '/api/stats': {
    GET: (request) => respond(tasks.stats(request.query.session))
  }
}

module.exports = async function handle(request) {
  const task = /^\/api\/tasks\/([A-Za-z0-9_-]{1,128})$/.exec(request.path)
  const route = routes[task ? '/api/tasks/:id' : request.path]
  if (!route) {
    return respond(404, { error: 'there is nothing at ' + request.path })
  }
  const answer = route[request.method]
  if (!answer) {
    const allowed = Object.keys(route).join(', ')
    return respond(405, { error: request.method + ' is not one of ' + allowed }, { Allow: allowed })
  }
  try {
    return answer(request, task && task[1])
  } catch (error) {
    // What the caller did wrong is answered; everything else is the farm's to report.
    if (error instanceof Rejected) {
      return respond(error.status, { error: error.message })
    }
    throw error
  }
}
