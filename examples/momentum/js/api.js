// The page's way to its own API. Whatever goes wrong becomes an Error with words for whoever uses the page.

const WAIT_MS = 10_000

async function ask(method, path, body) {
  const response = await reach(path, {
    method,
    headers: body ? { 'Content-Type': 'application/json' } : {},
    body: body && JSON.stringify(body),
    signal: AbortSignal.timeout(WAIT_MS)
  })
  const answer = await response.json().catch(() => ({}))
  if (!response.ok) {
    // The farm has a title for people, the app an error in words.
    throw new Error(sentence(answer.title || answer.error || 'the server answered ' + response.status))
  }
  return answer
}

async function reach(path, request) {
  try {
    return await fetch(path, request)
  } catch (error) {
    const late = error.name === 'TimeoutError'
    throw new Error(late ? 'The server did not answer in time.' : 'The server cannot be reached.', { cause: error })
  }
}

const sentence = (words) => words.charAt(0).toUpperCase() + words.slice(1) + '.'

const query = (session) => '?session=' + encodeURIComponent(session)

export const list = (session) => ask('GET', '/api/tasks' + query(session))
export const stats = (session) => ask('GET', '/api/stats' + query(session))
export const add = (session, text) => ask('POST', '/api/tasks', { session, text })
export const change = (id, changes) => ask('PATCH', '/api/tasks/' + encodeURIComponent(id), changes)
export const remove = (id) => ask('DELETE', '/api/tasks/' + encodeURIComponent(id))
