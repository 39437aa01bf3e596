// Draws the plots with Vega. Expressions are interpreted (`ast`), since the page's policy forbids eval.

function showTooltip(_handler, event, _item, value) {
  const box = byId('tooltip');
  if (!value || typeof value !== 'object') {
    box.hidden = true;
    return;
  }
  box.replaceChildren(...Object.entries(value).map(([name, said]) => el('div', {}, `${name}: ${said}`)));
  box.hidden = false;
  const { clientWidth: width, clientHeight: height } = document.documentElement;
  box.style.left = `${Math.max(4, Math.min(event.clientX + 12, width - box.offsetWidth - 4))}px`;
  box.style.top = `${Math.max(4, Math.min(event.clientY + 12, height - box.offsetHeight - 4))}px`;
}

let chartsDrawn = false;

// Call it when the plots can be seen: they take their width from their place.
function drawCharts() {
  if (chartsDrawn) {
    window.dispatchEvent(new Event('resize')); // the window may have changed while they were hidden
    return;
  }
  chartsDrawn = true;
  const specs = JSON.parse(byId('specs').textContent);
  for (const place of document.querySelectorAll('[data-plot]')) {
    const options = { ast: true, actions: false, renderer: 'svg', mode: 'vega-lite', tooltip: showTooltip, defaultStyle: false };
    window.vegaEmbed(place, specs[place.dataset.plot], options).catch((error) => {
      place.replaceChildren(el('p', { class: 'empty' }, `This plot could not be drawn: ${error.message}. Its numbers are below.`));
    });
  }
}
