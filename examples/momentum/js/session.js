// Which list this is. A link with #name opens that list on any device; without one, this browser has its own.

const KEY = 'momentum.session'
const FORM = /^[A-Za-z0-9_-]{1,64}$/

export function session() {
  const named = location.hash.slice(1)
  if (FORM.test(named)) {
    return named
  }
  const kept = read()
  if (kept && FORM.test(kept)) {
    return kept
  }
  const made = make()
  write(made)
  return made
}

// Not randomUUID: it is missing where the page comes over plain http from another machine.
function make() {
  const bytes = crypto.getRandomValues(new Uint8Array(16))
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
}

function read() {
  try {
    return localStorage.getItem(KEY)
  } catch {
    return null
  }
}

function write(value) {
  try {
    localStorage.setItem(KEY, value)
  } catch {
    // Without storage the list lives as long as the page; the name in the link keeps it.
    history.replaceState(null, '', '#' + value)
  }
}
