// The page: what is shown, and what keys and buttons do. A change is shown at once and taken back where the server
// refuses it.

import * as api from './api.js'
import { session } from './session.js'

const find = (id) => document.getElementById(id)
const list = find('tasks')
const input = find('text')

let tasks = []
let filter = 'all'
let added = 0
// Tasks that the server does not know yet have names of their own.
let drafts = 0

const shown = () => tasks.filter((task) => filter === 'all' || task.done === (filter === 'done'))

function draw() {
  const known = new Map([...list.children].map((item) => [item.dataset.id, item]))
  const items = shown().map((task) => paint(known.get(task.id) || make(task.id), task))
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
  const done = tasks.filter((task) => task.done).length
  const open = tasks.length - done
  const percent = tasks.length ? Math.round((done / tasks.length) * 100) : 0
  find('ring-value').style.strokeDasharray = percent + ' 100'
  find('ring-text').textContent = percent + '%'
  find('ring').setAttribute('aria-label', done + ' of ' + tasks.length + ' done')
  find('count').textContent = open + ' open'
  find('stats').textContent = added ? added + (added === 1 ? ' task' : ' tasks') + ' added so far' : ''
  const words = { all: 'Nothing here yet. Write down one thing.', open: 'All done. Enjoy it.', done: 'Nothing done yet.' }
  find('empty').textContent = words[filter]
  find('empty').hidden = items.length > 0
}

function make(id) {
  const item = find('task').content.firstElementChild.cloneNode(true)
  item.dataset.id = id
  item.querySelector('.tick').addEventListener('click', () => toggle(item.dataset.id))
  item.querySelector('.rename').addEventListener('click', () => rename(item))
  item.querySelector('.remove').addEventListener('click', () => remove(item))
  item.querySelector('.text').addEventListener('dblclick', () => rename(item))
  return item
}

function paint(item, task) {
  item.classList.toggle('done', task.done)
  item.querySelector('.text').textContent = task.text
  const tick = item.querySelector('.tick')
  tick.setAttribute('aria-checked', String(task.done))
  tick.setAttribute('aria-label', task.text)
  item.querySelector('.rename').setAttribute('aria-label', 'Rename ' + task.text)
  item.querySelector('.remove').setAttribute('aria-label', 'Remove ' + task.text)
  return item
}

async function add(text) {
  const draft = { id: 'draft-' + ++drafts, text, done: false, draft: true }
  tasks = [draft, ...tasks]
  added += 1
  draw()
  try {
    const task = await api.add(session(), text)
    const item = list.querySelector('[data-id="' + draft.id + '"]')
    if (item) {
      item.dataset.id = task.id
    }
    tasks = tasks.map((other) => (other === draft ? task : other))
  } catch (error) {
    tasks = tasks.filter((other) => other !== draft)
    added -= 1
    input.value = input.value || text
    say(error)
  }
  draw()
}

// Shows the change, asks for it, and takes it back where it is refused.
async function change(id, changes) {
  const before = tasks.find((task) => task.id === id)
  if (!before || before.draft) {
    return
  }
  const put = (task) => {
    tasks = tasks.map((other) => (other.id === id ? task : other))
    draw()
  }
  put({ ...before, ...changes })
  try {
    put(await api.change(id, changes))
  } catch (error) {
    put(before)
    say(error)
  }
}

function toggle(id) {
  const task = tasks.find((other) => other.id === id)
  if (task) {
    change(id, { done: !task.done })
  }
}

async function remove(item) {
  const id = item.dataset.id
  const before = tasks
  const task = tasks.find((other) => other.id === id)
  if (!task || task.draft) {
    return
  }
  const next = item.nextElementSibling || item.previousElementSibling
  item.classList.add('leaving')
  tasks = tasks.filter((other) => other.id !== id)
  draw()
  if (next) {
    next.focus()
  }
  try {
    await api.remove(id)
  } catch (error) {
    const index = before.indexOf(task)
    tasks = [...tasks.slice(0, index), task, ...tasks.slice(index)]
    draw()
    say(error)
  }
}

function rename(item) {
  const task = tasks.find((other) => other.id === item.dataset.id)
  const text = item.querySelector('.text')
  if (!task || task.draft || text.hidden) {
    return
  }
  const edit = document.createElement('input')
  edit.className = 'edit'
  edit.maxLength = 500
  edit.value = task.text
  edit.setAttribute('aria-label', 'New text')
  text.hidden = true
  text.after(edit)
  edit.select()
  let over = false
  const close = (keep) => {
    if (over) {
      return
    }
    over = true
    const value = edit.value.trim()
    edit.remove()
    text.hidden = false
    item.focus()
    if (keep && value && value !== task.text) {
      change(item.dataset.id, { text: value })
    }
  }
  edit.addEventListener('blur', () => close(true))
  edit.addEventListener('keydown', (event) => {
    event.stopPropagation()
    if (event.key === 'Enter' || event.key === 'Escape') {
      event.preventDefault()
      close(event.key === 'Enter')
    }
  })
}

let toastTimer
function say(error) {
  const toast = find('toast')
  toast.textContent = error.name === 'TimeoutError' ? 'The server did not answer in time.' : error.message
  toast.classList.add('shown')
  clearTimeout(toastTimer)
  toastTimer = setTimeout(() => toast.classList.remove('shown'), 4000)
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
  try {
    const [mine, stats] = await Promise.all([api.list(session()), api.stats(session())])
    const drafted = tasks.filter((task) => task.draft)
    tasks = [...drafted, ...mine]
    added = stats.added + drafted.length
  } catch (error) {
    say(error)
  }
  draw()
}

find('add').addEventListener('submit', (event) => {
  event.preventDefault()
  const text = input.value.trim()
  if (text) {
    input.value = ''
    add(text)
  }
})

find('filters').addEventListener('click', (event) => {
  const button = event.target.closest('[data-filter]')
  if (!button) {
    return
  }
  filter = button.dataset.filter
  for (const other of find('filters').querySelectorAll('[data-filter]')) {
    other.setAttribute('aria-pressed', String(other === button))
  }
  draw()
})

document.addEventListener('keydown', press)
window.addEventListener('hashchange', () => {
  tasks = []
  load()
})
// Another device may have moved on while this page slept.
document.addEventListener('visibilitychange', () => document.hidden || load())

find('day').textContent = new Date().toLocaleDateString(undefined, { weekday: 'long', day: 'numeric', month: 'long' })
load()
