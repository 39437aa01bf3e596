// One question's chains, side by side: steps with their gains, claims, verdicts and evidence.

const LABELS = { supported: '✓ supported', contradicted: '✗ contradicted', insufficient: '? evidence does not decide' };

// Shares in per cent, others with their sign and unit.
function told(key, x) {
  const [, unit] = data.numbers[key];
  return unit === 'share' ? percent(x) : signed(x) + (unit && ` ${unit}`);
}

// A bar from the middle to the right for a gain, hatched to the left for a loss; the number beside it says the same.
function gainBar(gain, scale) {
  const bar = el('span', { class: 'bar', 'aria-hidden': 'true' }, el('i', { class: 'zero' }));
  if (!missing(gain) && gain !== 0) {
    const width = Math.min(50, (50 * Math.abs(gain)) / scale);
    const fill = el('i', { class: gain > 0 ? 'plus' : 'minus' });
    fill.style.width = `${Math.max(width, 0.7)}%`;
    fill.style[gain > 0 ? 'left' : 'right'] = '50%';
    bar.prepend(fill);
  }
  return bar;
}

function tokenBar(probability) {
  const bar = el('span', { class: 'bar', 'aria-hidden': 'true' });
  if (!missing(probability)) {
    const fill = el('i', { class: 'token' });
    fill.style.width = `${Math.min(100, 100 * probability)}%`;
    bar.append(fill);
  }
  return bar;
}

const small = (p) => (missing(p) ? DASH : p > 0 && p < 0.001 ? '< 0.1\u00a0%' : percent(p, 1));

function bars(rows) {
  return el('div', { class: 'bars' }, rows.map(([name, bar, value]) => [el('span', {}, name), bar, el('span', { class: 'value' }, value)]));
}

function passage(one) {
  const source = [one.id, one.h].filter(Boolean).join(' · ') + (missing(one.s) ? '' : ` (retriever's score ${plain(one.s)})`);
  return el('div', { class: 'passage' }, el('div', { class: 'source', dir: 'auto' }, source), el('div', { class: 'text', dir: 'auto' }, one.t));
}

// Where the evidence is, without opening it: document and place of the first passage, and how many more there are.
function whereEvidence(all) {
  const more = all.length > 1 ? `, and ${all.length - 1} more` : '';
  return el('summary', { dir: 'auto' }, `Evidence: ${all[0].id || 'a passage'}${more}`);
}

// `key` names the verdict among the reader's marks.
function verdict(one, key) {
  const kind = one.l ?? 'unscored';
  const label = el('span', { class: `label ${LABELS[kind] ? kind : 'unscored'}` }, LABELS[one.l] ?? '! no verdict');
  const sure = missing(one.p) || one.p === 0 || one.p === 1; // arithmetic knows
  const by = ` by ${one.j}${sure ? '' : `, probability ${one.p.toFixed(2)} that it is supported`}`;
  const item = el('li', {}, el('div', { class: 'text', dir: 'auto' }, one.c), label, by);
  const reason = one.e ?? one.y;
  if (reason) item.append(el('div', { class: 'text reason', dir: 'auto' }, reason));
  if (one.ev) {
    const more = one.em ? el('p', { class: 'hint' }, `${one.em} more passages left out.`) : null;
    item.append(el('details', {}, whereEvidence(one.ev), one.ev.map(passage), more));
  }
  if (LABELS[one.l]) item.append(markButtons(key, 'Do you agree with this verdict?'));
  return item;
}

const isMeasured = (chain) => chain.s.some((one) => !missing(one.g) || !missing(one.p));
const isContradicted = (one) => (one.v ?? []).some((verdict) => verdict.l === 'contradicted');

// `place` is "question.run.step", the step from 0; `measured`: the chain has likelihoods.
function step(one, place, scale, measured) {
  const number = Number(place.split('.')[2]) + 1;
  const rows = measured
    ? [['gain, nats', gainBar(one.g, scale), signed(one.g)], ['chance of answer', tokenBar(one.p), small(one.p)]]
    : [];
  if (!missing(one.o)) rows.push(['of right option', tokenBar(one.o), small(one.o)]);
  const flags = [];
  if (one.f) flags.push(el('span', { class: 'tag' }, 'final answer'));
  if (one.a) flags.push(el('span', { class: 'tag leak' }, '⚑ states the gold answer'));
  const content = el('div', {}, el('div', { class: 'text', dir: 'auto' }, one.t), flags.length ? el('div', { class: 'flags' }, flags) : null, rows.length ? bars(rows) : null);
  if (one.v) {
    const more = one.vm ? el('li', { class: 'hint' }, `${one.vm} more claims left out.`) : null;
    content.append(el('ul', { class: 'verdicts-of', 'aria-label': `Claims of step ${number}` }, one.v.map((each, i) => verdict(each, `${place}.${i}`)), more));
  }
  return el('li', { class: isContradicted(one) ? 'step contradicted' : 'step', id: `step-${place}`, tabindex: '-1' },
    el('span', { class: 'number' }, el('span', { class: 'hidden-text' }, 'step '), String(number)), content);
}

// The way to the steps that a judge contradicts: they are read first.
function contradictedFirst(steps, place) {
  const ways = steps.flatMap((one, at) => {
    if (!isContradicted(one)) return [];
    const button = el('button', { type: 'button' }, `✗ step ${at + 1}`);
    button.addEventListener('click', () => byId(`step-${place}.${at}`).focus());
    return [button];
  });
  return ways.length ? el('p', { class: 'first' }, el('span', {}, 'Contradicted: '), ways) : null;
}

// What the scoring LM makes of the gold answer before the first step.
function questionAlone(chain) {
  return el('li', { class: 'step zero' }, el('span', { class: 'number' }, '0'),
    el('div', {}, el('div', { class: 'text' }, 'The question alone'), bars([['chance of answer', tokenBar(chain.p), small(chain.p)]])));
}

// `place` is "question.run".
function side(name, chain, numbers, place, scale) {
  const out = el('section', { class: 'side' }, el('h3', { dir: 'auto' }, name));
  if (!numbers) {
    out.append(el('p', { class: 'empty' }, 'This run has no chain for the question.'));
    return out;
  }
  const facts = el('dl', { class: 'facts' });
  const fact = (term, ...said) => facts.append(el('div', {}, el('dt', {}, term), el('dd', { dir: 'auto' }, said)));
  const number = (key, x) => missing(x) || fact(term(key, data.numbers[key][0]), told(key, x));
  const right = numbers[ACCURACY];
  const wording = missing(right) ? 'not known' : right === 1 ? '✓ right' : right === 0 ? '✗ wrong' : plain(right);
  fact(term('accuracy', 'Answer'), el('span', { class: right === 1 ? 'ok' : right === 0 ? 'no' : '' }, wording));
  if (!chain) {
    for (const [key, at] of [['infogain_nats_before_answer', BEFORE], ['infogain_nats', NATS], ['ki', KI]]) number(key, numbers[at]);
    fact(term('n_steps', 'Steps'), String(numbers[STEPS]));
    out.append(facts);
    return out;
  }
  if (!missing(chain.m)) fact("Model's answer", chain.m);
  for (const [key, x] of Object.entries(chain.x)) number(key, x);
  fact(term('n_steps', 'Steps'), String(numbers[STEPS]));
  if (chain.cut) fact('Response', 'cut off by a length limit');
  out.append(facts);
  const why = Object.entries(chain.why).map(([key, reason]) => el('li', {}, data.numbers[key][0], ': ', el('bdi', {}, reason)));
  const notes = chain.notes.map((note) => el('li', { dir: 'auto' }, note));
  if (why.length + notes.length) out.append(el('details', { class: 'more' }, el('summary', {}, 'What is missing, and notes'), el('ul', { class: 'notes' }, why, notes)));
  const measured = isMeasured(chain);
  const steps = chain.s.map((one, at) => step(one, `${place}.${at}`, scale, measured));
  out.append(contradictedFirst(chain.s, place) ?? '', el('ol', { class: 'steps' }, missing(chain.p) ? null : questionAlone(chain), steps));
  if (!chain.s.length) out.append(el('p', { class: 'empty' }, 'No steps in the response.'));
  if (chain.more) out.append(el('p', { class: 'notice' }, `${chain.more.toLocaleString('en-US')} more steps are left out of this page.`));
  return out;
}

// Fill #chain with question i. `links` are hrefs: back, previous, next (null at the ends); `place`: "3 of 120".
async function drawChain(i, state, links, place) {
  const row = data.rows[i];
  const found = (await details()).get(i);
  const where = [data.tasks[row.t], data.subjects[row.s], found?.id && `id ${found.id}`].filter(Boolean).join(' · ');
  const walk = (label) => el('nav', { class: 'walk', 'aria-label': label },
    el('a', { href: links.back, class: 'back' }, '‹ Back to the table'), el('span', { class: 'space' }),
    links.previous ? el('a', { href: links.previous, rel: 'prev' }, '‹ Previous') : null,
    el('span', { class: 'hint' }, place),
    links.next ? el('a', { href: links.next, rel: 'next' }, 'Next ›') : null);
  const runs = shownRuns(state);
  const gains = found ? runs.flatMap((run) => (found.r[run]?.s ?? []).map((one) => Math.abs(one.g ?? 0))) : [];
  const scale = Math.max(0.1, ...gains);
  const block = (heading, text) => el('div', {}, el('h3', {}, heading), el('div', { class: 'text', dir: 'auto' }, text));
  const asked = el('div', { class: 'asked' }, block('Question', found ? found.q : row.q));
  if (found?.a.length) asked.append(block('Gold answer', found.a.join('\n')));
  const title = el('h2', { id: 'chain-title', tabindex: '-1' }, `Question ${i + 1}`);
  const away = found ? null : el('p', { class: 'notice' }, 'The steps of this question are not on the page: there are too many chains for all of them. Its numbers are below.');
  const shown = runs.map((run) => found?.r[run]).filter(Boolean);
  const gain = !shown.some(isMeasured) ? [] : ['Below each step: its ', term('gain', 'gain'), ', and the ', term('chance', 'chance of the answer'), ' after it',
    shown.some((chain) => chain.s.some((one) => !missing(one.o))) ? [', also ', term('option', 'among the options')] : '', '. '];
  const readingHelp = el('p', { class: 'hint' }, gain, 'Say of each ', term('contradicted', 'verdict'), ' whether you agree.');
  byId('chain').replaceChildren(
    walk('Around this question'), title, where ? el('p', { class: 'hint', dir: 'auto' }, where) : '', asked, away ?? '', readingHelp,
    el('p', { class: 'marked', 'data-marked': '', hidden: true }),
    el('div', { class: runs.length > 1 ? 'sides two' : 'sides' }, runs.map((run) => side(data.runs[run], found?.r[run], row.r[run], `${i}.${run}`, scale))),
    walk('Around this question, below'));
  drawMarks();
}
