// The page's way to its own API. A refusal becomes an Error with the server's words.

const WAIT_MS = 10_000

async function ask(method, path, body) {
  const response = await fetch(path, {
    method,
    headers: body ? { 'Content-Type': 'application/json' } : {},
    body: body && JSON.stringify(body),
    signal: AbortSignal.timeout(WAIT_MS)
  })
  const answer = await response.json().catch(() => ({}))
  if (!response.ok) {
    throw new Error(answer.error || answer.title || 'The server answered ' + response.status)
  }
  return answer
}

const query = (session) => '?session=' + encodeURIComponent(session)

export const list = (session) => ask('GET', '/api/tasks' + query(session))
export const stats = (session) => ask('GET', '/api/stats' + query(session))
export const add = (session, text) => ask('POST', '/api/tasks', { session, text })
export const change = (id, changes) => ask('PATCH', '/api/tasks/' + encodeURIComponent(id), changes)
export const remove = (id) => ask('DELETE', '/api/tasks/' + encodeURIComponent(id))
