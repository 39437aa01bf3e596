// What a term of the page means: shown beside it on hover, focus and click, as the glossary at the page's end has it.

// A term with its meaning; plain text where the glossary does not know it, as of a plugin's number.
function term(key, name) {
  if (!byId(`term-${key}`)) return name;
  return el('button', { type: 'button', class: 'term', 'data-term': key, 'aria-describedby': `term-${key}` }, name);
}

// Show the floating box with this content near a point or an element's box, inside the window.
function showBox(content, left, top) {
  const box = byId('tooltip');
  box.replaceChildren(...content);
  box.hidden = false;
  const { clientWidth: width, clientHeight: height } = document.documentElement;
  box.style.left = `${Math.max(4, Math.min(left, width - box.offsetWidth - 4))}px`;
  box.style.top = `${Math.max(4, Math.min(top, height - box.offsetHeight - 4))}px`;
}

function hideBox() {
  explained = null;
  byId('tooltip').hidden = true;
}

let explained = null; // the term whose meaning is shown

function explain(event) {
  const asked = event.target.closest?.('[data-term]');
  hideBox();
  if (!asked) return;
  explained = asked;
  placeMeaning();
}

function placeMeaning() {
  const meaning = explained && byId(`term-${explained.dataset.term}`);
  if (!meaning) return;
  const { left, bottom } = explained.getBoundingClientRect();
  showBox([meaning.textContent], left, bottom + 6);
}

function explainTerms() {
  for (const kind of ['mouseover', 'focusin', 'click']) document.addEventListener(kind, explain);
  document.addEventListener('focusout', hideBox);
  document.addEventListener('keydown', (event) => event.key === 'Escape' && hideBox());
  window.addEventListener('scroll', placeMeaning, { passive: true }); // a focus may scroll its term into view
}
