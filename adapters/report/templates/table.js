// The table of chains: columns, filters, search, sorting, pages.

const PER_PAGE = 50;
const [ACCURACY, NATS, BEFORE, KI, COVERAGE, STEPS, FLAGS] = [0, 1, 2, 3, 4, 5, 6];
const [UNSCORED, LEAK, CONTRADICTED] = [1, 2, 4]; // what is to be read first is highest

let data = null; // what table() in page_data.py wrote
const haystacks = new Map(); // question's number -> its texts in lower case

// state.run: the run beside the first one; 0 where there is one run only.
const shownRuns = (state) => (state.run > 0 ? [0, state.run] : [0]);
const chainOf = (row, run) => row.r[run];
const numberOf = (row, run, at) => (row.r[run] ? row.r[run][at] : null);
const isRight = (row, run) => (numberOf(row, run, ACCURACY) ?? -1) >= data.right;
const anyFlag = (row, state, flag) => shownRuns(state).some((run) => (numberOf(row, run, FLAGS) ?? 0) & flag);

function change(row, state, at) {
  const [base, tuned] = [numberOf(row, 0, at), numberOf(row, state.run, at)];
  return missing(base) || missing(tuned) ? null : tuned - base;
}

const FILTERS = {
  all: { label: 'all questions', test: () => true, hint: '' },
  loss: {
    label: 'biggest loss against base',
    pairs: true,
    sort: ['change', 'ascending'],
    test: (row, state) => (change(row, state, NATS) ?? 0) < 0,
    hint: 'The gain of the whole chain is lower than in the base run; largest loss first.',
  },
  empty: {
    label: 'right answer with no gain',
    sort: ['before', 'ascending'],
    test: (row, state) => isRight(row, state.run) && (numberOf(row, state.run, BEFORE) ?? 1) <= 0,
    hint: 'Right, though the steps before the answer gained nothing.',
  },
  lost: {
    label: 'accuracy right but reasoning lost',
    pairs: true,
    sort: ['change', 'ascending'],
    test: (row, state) => isRight(row, state.run) && (change(row, state, BEFORE) ?? 0) < 0,
    hint: 'The tuned run is right, but its steps before the answer gained less than those of the base run.',
  },
  contradicted: {
    label: 'contradicted step',
    test: (row, state) => anyFlag(row, state, CONTRADICTED),
    hint: 'A judge contradicted a claim in a step. Open a question to say whether you agree.',
  },
  leak: {
    label: 'states the answer early',
    test: (row, state) => anyFlag(row, state, LEAK),
    hint: 'A step before the final answer writes the gold answer down.',
  },
  missing: {
    label: 'missing score',
    test: (row, state) => anyFlag(row, state, UNSCORED) || shownRuns(state).some((run) => !chainOf(row, run)),
    hint: 'No likelihoods, a claim whose judge failed, or no chain in one of the runs.',
  },
};

// Columns for this state: {key, label, over, text, number, get(index)}.
function columns(state) {
  const runs = shownRuns(state);
  const many = runs.length > 1;
  const out = [
    { key: 'number', label: 'No.', numeric: true, minor: true, get: (i) => i },
    { key: 'question', label: 'Question', get: (i) => data.rows[i].q.toLowerCase() },
  ];
  const sides = ['base', 'tuned'];
  // What is minor is left out where a table has turned into blocks.
  const group = (key, label, at, about, minor = false) => {
    runs.forEach((run, side) => {
      out.push({
        key: many ? `${key}-${sides[side]}` : key,
        label: many ? sides[side] : label,
        over: many ? label : '',
        at, run, about, minor, numeric: true,
        get: (i) => numberOf(data.rows[i], run, at),
      });
    });
  };
  group('right', 'Right', ACCURACY, 'accuracy');
  group('gain', 'Gain, nats', NATS, 'infogain_nats', many);
  if (many) out.push({ key: 'change', label: 'change', over: 'Gain, nats', numeric: true, at: 'change', get: (i) => change(data.rows[i], state, NATS) });
  group('before', 'Gain before answer', BEFORE, 'infogain_nats_before_answer');
  group('ki', 'KI', KI, 'ki');
  group('steps', 'Steps', STEPS, 'n_steps', true);
  out.push({ key: 'flags', label: 'Flags', get: (i) => shownRuns(state).reduce((all, run) => all | (numberOf(data.rows[i], run, FLAGS) ?? 0), 0) || null });
  return out;
}

// "before" means the tuned run's column where there are two.
const sortKey = (key, state) => (key === 'before' && state.run > 0 ? 'before-tuned' : key);

async function searchTexts() {
  if (haystacks.size) return;
  const texts = await details();
  data.rows.forEach((row, i) => {
    const found = texts.get(i);
    const parts = [row.q, data.tasks[row.t] ?? '', data.subjects[row.s] ?? ''];
    if (found) {
      parts.push(found.id, found.q, ...found.a);
      for (const chain of found.r) if (chain) parts.push(chain.m ?? '', ...chain.s.map((step) => step.t));
    }
    haystacks.set(i, parts.join('\n').toLowerCase());
  });
}

// The questions' numbers that are shown for a state, in its order.
function selected(state) {
  const filter = FILTERS[state.filter];
  const words = state.q.toLowerCase().trim();
  const out = [];
  data.rows.forEach((row, i) => {
    if (filter.test(row, state) && (!words || haystacks.get(i).includes(words))) out.push(i);
  });
  const column = columns(state).find((one) => one.key === sortKey(state.sort, state));
  if (!column || column.key === 'number') return state.direction === 'descending' ? out.reverse() : out;
  const up = state.direction === 'descending' ? -1 : 1;
  const keys = new Map(out.map((i) => [i, column.get(i)]));
  return out.sort((a, b) => {
    const [x, y] = [keys.get(a), keys.get(b)];
    if (missing(x) || missing(y)) return missing(x) - missing(y) || a - b; // what is missing comes last either way
    return x < y ? -up : x > y ? up : a - b;
  });
}

const classOf = (column) => [column.numeric && 'n', column.minor && 'minor'].filter(Boolean).join(' ') || null;

function drawHead(state, sortBy) {
  const list = columns(state);
  const heading = (column) => {
    const sorted = sortKey(state.sort, state) === column.key ? state.direction : 'none';
    const arrow = { ascending: '▲', descending: '▼', none: '' }[sorted];
    const over = column.over ? el('span', { class: 'of-group' }, `${column.over} `) : null;
    const known = column.about && byId(`term-${column.about}`);
    const button = el('button', { type: 'button', 'data-sort': column.key, 'data-term': known && column.about, 'aria-describedby': known && known.id }, over, column.label, arrow && el('span', { class: 'arrow', 'aria-hidden': 'true' }, arrow));
    if (column.over) button.setAttribute('aria-label', `${column.over}, ${column.label}`);
    button.addEventListener('click', () => sortBy(column));
    return el('th', { scope: 'col', 'aria-sort': sorted, class: classOf(column) }, button);
  };
  const rows = [];
  if (list.some((column) => column.over)) {
    const over = [];
    for (const column of list) {
      const last = over[over.length - 1];
      if (last && column.over && last.name === column.over) last.span += 1;
      else over.push({ name: column.over ?? '', span: 1 });
    }
    rows.push(el('tr', { class: 'over' }, over.map(({ name, span }) => (name ? el('th', { scope: 'colgroup', colspan: span }, name) : el('td', { colspan: span })))));
  }
  rows.push(el('tr', {}, list.map(heading)));
  byId('head').replaceChildren(...rows);
}

function rightMark(value) {
  if (missing(value)) return el('span', {}, DASH);
  if (value === 1) return el('span', { class: 'ok' }, '✓', el('span', { class: 'hidden-text' }, ' right'));
  if (value === 0) return el('span', { class: 'no' }, '✗', el('span', { class: 'hidden-text' }, ' wrong'));
  return el('span', {}, plain(value));
}

function cell(row, i, column, state, hrefOf) {
  const label = column.over ? `${column.over}, ${column.label}` : column.label;
  if (column.key === 'number') return el('td', { class: classOf(column), 'data-label': label }, String(i + 1));
  if (column.key === 'question') {
    const where = [data.tasks[row.t], data.subjects[row.s]].filter(Boolean).join(' · ');
    return el('td', { class: 'asks' }, el('span', { class: 'where', dir: 'auto' }, where), el('a', { href: hrefOf(i), dir: 'auto', 'data-chain': i }, row.q || '(no text)'));
  }
  if (column.key === 'flags') {
    const flags = [];
    if (anyFlag(row, state, CONTRADICTED)) flags.push('✗ contradicted');
    if (anyFlag(row, state, LEAK)) flags.push('⚑ states the answer');
    if (anyFlag(row, state, UNSCORED)) flags.push('! unscored');
    if (marksOf(i)) flags.push(`${marksOf(i)} marked`);
    return el('td', flags.length ? { 'data-label': label } : {}, flags.length ? el('div', {}, flags.map((flag) => el('span', { class: 'flag' }, flag))) : null);
  }
  const value = column.get(i);
  if (column.at === ACCURACY) return el('td', { class: classOf(column), 'data-label': label }, rightMark(value));
  const text = { [KI]: (x) => percent(x), [STEPS]: (x) => (missing(x) ? DASH : String(x)) }[column.at] ?? signed;
  return el('td', { class: classOf(column), 'data-label': label }, text(value));
}

function drawRows(found, state, hrefOf) {
  const pages = Math.max(1, Math.ceil(found.length / PER_PAGE));
  const page = Math.min(Math.max(1, state.page), pages);
  const list = columns(state);
  const shown = found.slice((page - 1) * PER_PAGE, page * PER_PAGE);
  byId('rows').replaceChildren(...shown.map((i) => el('tr', {}, list.map((column) => cell(data.rows[i], i, column, state, hrefOf)))));
  const all = data.rows.length.toLocaleString('en-US');
  byId('status').textContent = found.length === data.rows.length ? `${all} question${found.length === 1 ? '' : 's'}` : `${found.length.toLocaleString('en-US')} of ${all} questions`;
  byId('page-number').textContent = `page ${page} of ${pages}`;
  byId('previous-page').disabled = page <= 1;
  byId('next-page').disabled = page >= pages;
  byId('filter-hint').textContent = FILTERS[state.filter].hint;
}
