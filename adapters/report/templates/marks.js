// The reader's marks: whether they agree with a verdict. Kept in the browser under the page's content, exported as CSV.

const STORE = `stepgauge-marks-${document.documentElement.dataset.content}`;
const AGREE = 'agree';
const DISAGREE = 'disagree';
let marks = {}; // {"question.run.step.claim": "agree" or "disagree"}
let kept = true; // whether the browser keeps them

function readMarks() {
  try {
    const stored = JSON.parse(localStorage.getItem(STORE) ?? '{}');
    marks = Object.fromEntries(Object.entries(stored).filter(([, mark]) => mark === AGREE || mark === DISAGREE));
  } catch {
    kept = false; // no storage, or not ours: the marks last as long as the page
  }
}

// Set or, with null, remove a mark. Marks that another tab has set since stay.
function setMark(key, mark) {
  if (kept) readMarks();
  if (mark) marks[key] = mark;
  else delete marks[key];
  try {
    localStorage.setItem(STORE, JSON.stringify(marks));
  } catch {
    kept = false;
  }
  drawMarks();
}

const marksOf = (i) => Object.keys(marks).filter((key) => key.startsWith(`${i}.`)).length;

// Each mark with what it is about, in the order of the page.
async function markedVerdicts() {
  const texts = await details();
  const out = [];
  for (const [key, mark] of Object.entries(marks)) {
    const [i, run, at, claim] = key.split('.').map(Number);
    const found = texts.get(i);
    const one = found?.r[run]?.s[at];
    const verdict = one?.v?.[claim];
    if (verdict) out.push({ i, run, at, claim, mark, verdict, step: one.t, id: found.id });
  }
  return out.sort((a, b) => a.i - b.i || a.run - b.run || a.at - b.at || a.claim - b.claim);
}

const share = (list) => `${list.filter((one) => one.mark === AGREE).length.toLocaleString('en-US')} of ${list.length.toLocaleString('en-US')}`;

async function drawMarks() {
  const list = await markedVerdicts();
  const kinds = Object.keys(LABELS).map((kind) => [kind, list.filter((one) => one.verdict.l === kind)]).filter(([, those]) => those.length);
  const agreed = list.filter((one) => one.mark === AGREE).length;
  const said = ['You agree with ', el('strong', {}, `${share(list)} marked verdicts (${percent(agreed / list.length)})`),
    kinds.length > 1 ? `: ${kinds.map(([kind, those]) => `${kind} ${share(those)}`).join(', ')}` : '', '. '];
  for (const place of document.querySelectorAll('[data-marked]')) {
    place.hidden = !list.length;
    if (!list.length) continue;
    const button = el('button', { type: 'button' }, 'Export the marks as CSV');
    button.addEventListener('click', exportMarks);
    const had = place.contains(document.activeElement);
    place.replaceChildren(...said.map((part) => (part.cloneNode ? part.cloneNode(true) : part)), kept ? '' : 'This browser does not keep them: export them before you close the page. ', button);
    if (had) button.focus();
  }
}

// A cell that a spreadsheet would read as a formula gets an apostrophe in front; quotes are doubled.
function csvCell(value) {
  const text = String(value ?? '');
  const inert = /^\s*[=+\-@]/.test(text) ? `'${text}` : text;
  return /[",\r\n']/.test(inert) ? `"${inert.replaceAll('"', '""')}"` : inert;
}

async function exportMarks() {
  const head = ['run', 'task', 'question_id', 'question_number', 'step_number', 'step_text', 'claim', 'verdict', 'judge', 'mark'];
  const rows = (await markedVerdicts()).map(({ i, run, at, mark, verdict, step, id }) => [
    data.runs[run], data.tasks[data.rows[i].t], id, i + 1, at + 1, step, verdict.c, verdict.l, verdict.j, mark,
  ]);
  const text = [head, ...rows].map((cells) => cells.map(csvCell).join(',')).join('\r\n') + '\r\n';
  const url = URL.createObjectURL(new Blob(['\ufeff', text], { type: 'text/csv' })); // the mark of UTF-8, for Excel
  const link = el('a', { href: url, download: 'marks.csv' });
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 1000);
}

// Two buttons that say whether the reader agrees with a verdict; the one that is pressed takes its mark back.
function markButtons(key, about) {
  const group = el('span', { class: 'agree', role: 'group', 'aria-label': about });
  const buttons = [[AGREE, '✓ agree'], [DISAGREE, '✗ disagree']].map(([mark, label]) => {
    const button = el('button', { type: 'button', 'data-mark': mark }, label);
    button.addEventListener('click', () => {
      setMark(key, marks[key] === mark ? null : mark);
      press();
    });
    return button;
  });
  const press = () => {
    for (const button of buttons) button.setAttribute('aria-pressed', String(marks[key] === button.dataset.mark));
  };
  press();
  group.append(...buttons);
  return group;
}
