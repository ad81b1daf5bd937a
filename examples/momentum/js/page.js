// The page: what is shown, and what keys and buttons do. A change is shown at once and taken back where the server
// refuses it; what somebody typed stays on the page until the server has it.

import * as api from './api.js'
import { session } from './session.js'

// As the server has it.
const TEXT_LENGTH = 500

const find = (id) => document.getElementById(id)
const list = find('tasks')
const input = find('text')

// The list that is shown. A task names its own: one that is not saved waits here while another list is shown.
let here = session()
let tasks = []
// Whether the server has given the list, and else why not.
let loaded = false
let missing = ''
// Loads are numbered: only what the newest says is shown.
let loads = 0
let loading = false
let filter = 'all'
let added = 0
// Tasks that the server does not know yet have names of their own.
let drafts = 0

// A task that is not shown for a while keeps its element, and with it what is being typed there.
const elements = new Map()

// Whether the server is being asked to keep it.
const isOnItsWay = (task) => Boolean(task.draft && !task.unsaved)

const mine = () => tasks.filter((task) => task.session === here)
const shown = () => mine().filter((task) => filter === 'all' || task.done === (filter === 'done'))

function draw() {
  const items = shown().map((task) => paint(elements.get(task.id) || make(task.id), task))
  // Elements that stay in place keep their focus.
  const current = [...list.children]
  if (items.length !== current.length || items.some((item, index) => item !== current[index])) {
    const focused = document.activeElement
    list.replaceChildren(...items)
    if (focused && list.contains(focused)) {
      focused.focus()
    }
  }
  drawAround(items)
}

function drawAround(items) {
  const all = mine()
  const done = all.filter((task) => task.done).length
  const open = all.length - done
  const percent = all.length ? Math.round((done / all.length) * 100) : 0
  find('ring-value').style.strokeDasharray = percent + ' 100'
  find('ring').classList.toggle('begun', percent > 0)
  find('ring-text').textContent = percent + '%'
  find('ring').setAttribute('aria-label', done + ' of ' + all.length + ' done')
  find('count').textContent = open + ' open'
  find('stats').textContent = added ? added + (added === 1 ? ' task' : ' tasks') + ' added so far' : ''
  const words = { all: 'Nothing here yet. Write down one thing.', open: 'All done. Enjoy it.', done: 'Nothing done yet.' }
  find('empty').textContent = missing || (loaded && !items.length ? words[filter] : '')
  find('again').hidden = !missing
}

function make(id) {
  const item = find('task').content.firstElementChild.cloneNode(true)
  item.dataset.id = id
  elements.set(id, item)
  item.querySelector('.tick').addEventListener('click', () => toggle(item.dataset.id))
  item.querySelector('.again').addEventListener('click', () => {
    // The button is about to go, and the focus with it.
    item.focus()
    save(tasks.find((task) => task.id === item.dataset.id))
  })
  item.querySelector('.rename').addEventListener('click', () => rename(item))
  item.querySelector('.remove').addEventListener('click', () => remove(item))
  item.querySelector('.text').addEventListener('dblclick', () => rename(item))
  return item
}

function paint(item, task) {
  item.classList.toggle('done', task.done)
  item.classList.toggle('unsaved', Boolean(task.unsaved))
  item.querySelector('.text').textContent = task.text
  const tick = item.querySelector('.tick')
  tick.setAttribute('aria-checked', String(task.done))
  tick.setAttribute('aria-label', task.text)
  tick.disabled = Boolean(task.unsaved)
  const again = item.querySelector('.again')
  again.hidden = !task.unsaved
  again.setAttribute('aria-label', 'Try again to save ' + task.text)
  for (const [name, verb] of [['.rename', 'Rename '], ['.remove', 'Remove ']]) {
    const button = item.querySelector(name)
    button.setAttribute('aria-label', verb + task.text)
    button.disabled = isOnItsWay(task)
  }
  return item
}

function add(text) {
  const draft = { id: 'draft-' + ++drafts, session: here, text, done: false, draft: true }
  tasks = [draft, ...tasks]
  save(draft)
}

// Asks the server to keep a draft. Where it does not, the draft stays in the list, to be tried again.
async function save(draft) {
  draft.unsaved = false
  draw()
  try {
    const task = await api.add(draft.session, draft.text)
    const item = elements.get(draft.id)
    if (item) {
      item.dataset.id = task.id
      elements.delete(draft.id)
      elements.set(task.id, item)
    }
    // A list that was loaded in between may have it already.
    tasks = tasks.filter((other) => other.id !== task.id).map((other) => (other === draft ? task : other))
    added += draft.session === here ? 1 : 0
    answered()
    if (draft.done) {
      change(task.id, { done: true })
    }
  } catch (error) {
    draft.unsaved = true
    say(quote(draft.text) + ' is not saved. ' + error.message)
  }
  draw()
}

// Shows the change, asks for it, and takes it back where it is refused. Says whether it was made.
async function change(id, changes) {
  const before = tasks.find((task) => task.id === id)
  if (!before || before.draft) {
    return false
  }
  const put = (task) => {
    tasks = tasks.map((other) => (other.id === id ? task : other))
    draw()
  }
  put({ ...before, ...changes })
  try {
    put(await api.change(id, changes))
    answered()
    return true
  } catch (error) {
    put(before)
    say(quote(before.text) + ' is not changed. ' + error.message)
    return false
  }
}

function toggle(id) {
  const task = tasks.find((other) => other.id === id)
  if (task && task.draft) {
    // The server hears of it once it has the task.
    task.done = !task.done
    draw()
  } else if (task) {
    change(id, { done: !task.done })
  }
}

async function remove(item) {
  const id = item.dataset.id
  const before = tasks
  const task = tasks.find((other) => other.id === id)
  if (!task || isOnItsWay(task)) {
    return
  }
  const next = item.nextElementSibling || item.previousElementSibling || list
  tasks = tasks.filter((other) => other.id !== id)
  draw()
  next.focus()
  if (task.draft) {
    say('')
    return
  }
  try {
    await api.remove(id)
    // A list that was loaded in between may have it still.
    tasks = tasks.filter((other) => other.id !== id)
    elements.delete(id)
    draw()
    answered()
  } catch (error) {
    // Or again.
    if (!tasks.some((other) => other.id === id)) {
      const index = before.indexOf(task)
      tasks = [...tasks.slice(0, index), task, ...tasks.slice(index)]
    }
    draw()
    say(quote(task.text) + ' is not removed. ' + error.message)
  }
}

// Puts a field in place of the text; what is typed there and refused comes back into it.
function rename(item, typed) {
  const task = tasks.find((other) => other.id === item.dataset.id)
  const text = item.querySelector('.text')
  if (!task || isOnItsWay(task)) {
    return
  }
  if (text.hidden) {
    // What was refused may still wait in its field.
    if (typed === undefined) {
      item.querySelector('.edit').focus()
    }
    return
  }
  const edit = document.createElement('input')
  edit.className = 'edit'
  edit.value = typed ?? task.text
  edit.setAttribute('aria-label', 'New text')
  edit.setAttribute('aria-describedby', 'problem')
  text.hidden = true
  text.after(edit)
  // Whoever has moved on is not called back: a key leaves the focus on the task, everything else takes it elsewhere.
  if (typed === undefined || document.activeElement === item) {
    edit.focus()
    edit.select()
  }
  let over = false
  const close = (keep, byKey) => {
    if (over) {
      return
    }
    over = true
    const value = edit.value.trim()
    edit.remove()
    text.hidden = false
    if (byKey) {
      item.focus()
    }
    if (keep && value && value !== task.text) {
      reword(item, task, value)
    }
  }
  edit.addEventListener('blur', () => close(true, false))
  edit.addEventListener('keydown', (event) => {
    event.stopPropagation()
    if (event.key === 'Enter' || event.key === 'Escape') {
      event.preventDefault()
      close(event.key === 'Enter', true)
    }
  })
}

async function reword(item, task, text) {
  const wrong = refusal(text)
  if (!wrong && task.draft) {
    task.text = text
    return save(task)
  }
  if (wrong) {
    say(wrong)
  }
  if (wrong || !(await change(task.id, { text }))) {
    rename(item, text)
  }
}

// What is wrong with a text, in words; nothing where it may be sent.
function refusal(text) {
  if (!text) {
    return 'Write something first.'
  }
  return text.length > TEXT_LENGTH && `A task has at most ${TEXT_LENGTH} characters, this one has ${text.length}.`
}

const quote = (text) => '“' + (text.length > 40 ? text.slice(0, 40).trim() + '…' : text) + '”'

// It stays until something else is done: nobody has to read against a clock.
function say(words) {
  find('problem').textContent = words
}

// The server is there: what was said before is over. A list that did not come is asked for again, and so is one that is
// still to come: it may be from before the change.
function answered() {
  say('')
  if (missing || loading) {
    load()
  }
}

function choose(name) {
  filter = name
  for (const button of find('filters').querySelectorAll('[data-filter]')) {
    button.setAttribute('aria-pressed', String(button.dataset.filter === name))
  }
  draw()
}

// Marks the field where its text cannot be sent, and says why.
function judge(wrong) {
  input.setAttribute('aria-invalid', String(Boolean(wrong)))
  say(wrong || '')
}

function move(from, step) {
  const items = [...list.children]
  const index = items.indexOf(from)
  const next = items[index < 0 ? (step > 0 ? 0 : items.length - 1) : index + step]
  if (next) {
    next.focus()
  } else if (step < 0) {
    input.focus()
  }
}

function press(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) {
    return
  }
  const item = document.activeElement && document.activeElement.closest('.task')
  if (document.activeElement === input) {
    if (event.key === 'Escape') {
      input.blur()
    } else if (event.key === 'ArrowDown') {
      event.preventDefault()
      move(null, 1)
    }
    return
  }
  // A button that has the focus takes space and Enter itself.
  const onTask = item && document.activeElement === item
  const actions = {
    n: () => input.focus(),
    '/': () => input.focus(),
    ArrowDown: () => move(item, 1),
    ArrowUp: () => move(item, -1),
    ' ': onTask && (() => toggle(item.dataset.id)),
    e: item && (() => rename(item)),
    Enter: onTask && (() => rename(item)),
    Delete: item && (() => remove(item)),
    Backspace: item && (() => remove(item))
  }
  const action = Object.hasOwn(actions, event.key) && actions[event.key]
  if (action) {
    event.preventDefault()
    action()
  }
}

async function load() {
  const number = ++loads
  loading = true
  try {
    const [saved, stats] = await Promise.all([api.list(here), api.stats(here)])
    if (number !== loads) {
      return
    }
    tasks = [...tasks.filter((task) => task.draft || task.session !== here), ...saved]
    added = stats.added
    loaded = true
    missing = ''
  } catch (error) {
    if (number !== loads) {
      return
    }
    missing = 'The list could not be loaded. ' + error.message
  }
  loading = false
  draw()
}

find('add').addEventListener('submit', (event) => {
  event.preventDefault()
  const text = input.value.trim()
  const wrong = refusal(text)
  judge(wrong)
  if (wrong) {
    input.focus()
    return
  }
  input.value = ''
  if (filter === 'done') {
    choose('all')
  }
  add(text)
})
input.addEventListener('input', () => input.getAttribute('aria-invalid') === 'true' && judge(''))

find('filters').addEventListener('click', (event) => {
  const button = event.target.closest('[data-filter]')
  if (button) {
    choose(button.dataset.filter)
  }
})

find('again').addEventListener('click', load)
document.addEventListener('keydown', press)
window.addEventListener('hashchange', () => {
  here = session()
  loaded = false
  missing = ''
  added = 0
  draw()
  load()
})
// The browser asks whether to leave while something is not saved.
window.addEventListener('beforeunload', (event) => tasks.some((task) => task.unsaved) && event.preventDefault())
// Another device may have moved on while this page slept.
document.addEventListener('visibilitychange', () => document.hidden || load())

find('day').textContent = new Date().toLocaleDateString(undefined, { weekday: 'long', day: 'numeric', month: 'long' })
load()
