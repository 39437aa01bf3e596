// The page's state, kept in the address after #, and what happens when it changes.

const DEFAULTS = { q: '', filter: 'all', sort: 'flags', direction: 'descending', page: 1, run: 0, chain: null };
let state = { ...DEFAULTS };
let found = []; // the questions' numbers that the table shows
let lastChain = null;

// Whatever stands in the address, only values that the page knows become its state.
function readState() {
  const told = new URLSearchParams(location.hash.slice(1));
  const whole = (name, low, high) => {
    const text = told.get(name) ?? '';
    const value = /^\d{1,9}$/.test(text) ? Number(text) : NaN;
    return value >= low && value <= high ? value : null;
  };
  const out = { ...DEFAULTS, q: (told.get('q') ?? '').slice(0, 200) };
  out.run = data.runs.length > 1 ? whole('run', 1, data.runs.length - 1) ?? 1 : 0;
  const filter = told.get('filter') ?? '';
  if (Object.hasOwn(FILTERS, filter) && (out.run > 0 || !FILTERS[filter].pairs)) out.filter = filter;
  const sort = told.get('sort') ?? '';
  if (sort === 'before' || columns(out).some((column) => column.key === sort)) out.sort = sort;
  if (['ascending', 'descending'].includes(told.get('direction'))) out.direction = told.get('direction');
  out.page = whole('page', 1, 1e9) ?? 1;
  const chain = whole('chain', 1, data.rows.length);
  out.chain = chain === null ? null : chain - 1;
  return out;
}

function hashOf(changes = {}) {
  const next = { ...state, ...changes };
  const out = new URLSearchParams();
  if (next.chain !== null) out.set('chain', next.chain + 1);
  for (const name of ['q', 'filter', 'sort', 'direction', 'page']) if (next[name] !== DEFAULTS[name]) out.set(name, next[name]);
  if (next.run > 1) out.set('run', next.run);
  const text = out.toString();
  return text && next.chain === null ? `#table&${text}` : text ? `#${text}` : '#chains';
}

const chainHref = (i) => hashOf({ chain: i });

async function select() {
  if (state.q) await searchTexts();
  found = selected(state);
}

function drawTable() {
  const focused = document.activeElement?.dataset?.sort;
  drawHead(state, sortBy);
  if (focused) document.querySelector(`[data-sort="${CSS.escape(focused)}"]`)?.focus();
  drawRows(found, state, chainHref);
}

// A change made in the table: no new entry in the browser's history, and the reader stays where they are.
async function update(changes) {
  state = { ...state, ...changes };
  history.replaceState(null, '', hashOf());
  const mine = state;
  await select();
  if (mine === state) drawTable();
}

function sortBy(column) {
  const again = sortKey(state.sort, state) === column.key;
  const first = (column.numeric && column.key !== 'number') || column.key === 'flags' ? 'descending' : 'ascending';
  const other = state.direction === 'ascending' ? 'descending' : 'ascending';
  update({ sort: column.key, direction: again ? other : first, page: 1 });
}

// The part of the page that the address names, if it does: a plain link such as #plots. It leaves the table as it is.
function namedPart() {
  const named = byId(location.hash.slice(1));
  return named?.closest('#overview') ? named : null;
}

async function follow() {
  if (location.hash === '#main') return; // the link that skips the head
  const part = namedPart();
  const mine = part ? { ...state, chain: null } : readState();
  state = mine;
  await select();
  if (mine !== state) return;
  if (state.chain === null) {
    byId('overview').hidden = false;
    byId('chain').hidden = true;
    document.title = pageTitle;
    fillControls();
    drawTable();
    drawCharts();
    if (part && part.id !== 'chains') {
      if (part.matches('details')) part.open = true;
      part.scrollIntoView();
    } else if (lastChain !== null || location.hash.startsWith('#table')) {
      byId('chains').scrollIntoView();
      document.querySelector(`[data-chain="${lastChain}"]`)?.focus({ preventScroll: true });
    }
    lastChain = null;
    return;
  }
  const at = found.indexOf(state.chain);
  const links = {
    back: hashOf({ chain: null, page: at < 0 ? state.page : Math.floor(at / PER_PAGE) + 1 }),
    previous: at > 0 ? chainHref(found[at - 1]) : null,
    next: at >= 0 && at < found.length - 1 ? chainHref(found[at + 1]) : null,
  };
  await drawChain(state.chain, state, links, at < 0 ? '' : `${(at + 1).toLocaleString('en-US')} of ${found.length.toLocaleString('en-US')}`);
  if (mine !== state) return;
  lastChain = state.chain;
  byId('overview').hidden = true;
  byId('chain').hidden = false;
  document.title = `Question ${state.chain + 1} – ${pageTitle}`;
  window.scrollTo(0, 0);
  byId('chain-title').focus({ preventScroll: true });
}

function fillControls() {
  const option = (value, label, chosen) => el('option', { value, selected: value === String(chosen) }, label);
  byId('run-label').hidden = data.runs.length < 3;
  byId('run').replaceChildren(...data.runs.slice(1).map((name, i) => option(String(i + 1), `${name} against ${data.runs[0]}`, state.run)));
  const filters = Object.entries(FILTERS).filter(([, filter]) => state.run > 0 || !filter.pairs);
  byId('filter').replaceChildren(...filters.map(([key, filter]) => option(key, filter.label, state.filter)));
  byId('search').value = state.q;
}

function listen() {
  let waiting = 0;
  byId('search').addEventListener('input', (event) => {
    clearTimeout(waiting);
    waiting = setTimeout(() => update({ q: event.target.value.slice(0, 200), page: 1 }), 150);
  });
  byId('controls').addEventListener('submit', (event) => event.preventDefault());
  byId('filter').addEventListener('change', (event) => {
    const filter = event.target.value;
    const [sort, direction] = FILTERS[filter].sort ?? [DEFAULTS.sort, DEFAULTS.direction];
    update({ filter, sort, direction, page: 1 });
  });
  byId('run').addEventListener('change', (event) => update({ run: Number(event.target.value), page: 1 }));
  byId('previous-page').addEventListener('click', () => update({ page: Math.max(1, state.page - 1) }));
  byId('next-page').addEventListener('click', () => update({ page: state.page + 1 }));
  window.addEventListener('hashchange', follow);
  window.addEventListener('beforeprint', () => {
    for (const part of document.querySelectorAll('details.part')) part.open = true;
  });
}

const pageTitle = document.title;

async function start() {
  explainTerms();
  if (typeof DecompressionStream === 'undefined') {
    drawCharts();
    byId('trouble').hidden = false;
    byId('trouble').textContent = 'The table of chains needs a browser with DecompressionStream: Chrome or Edge 80, Firefox 113, Safari 16.4, or newer.';
    return;
  }
  data = JSON.parse(await unpack('table-data'));
  state = readState(); // where the address names a part of the page only: the state the table starts with
  byId('browser').hidden = false;
  readMarks();
  drawMarks();
  listen();
  await follow();
  document.documentElement.dataset.ready = 'yes';
}

start();
