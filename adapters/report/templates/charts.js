// Draws the plots with Vega. Expressions are interpreted (`ast`), since the page's policy forbids eval.

function showTooltip(_handler, event, _item, value) {
  if (!value || typeof value !== 'object') {
    hideBox();
    return;
  }
  showBox(Object.entries(value).map(([name, said]) => el('div', {}, `${name}: ${said}`)), event.clientX + 12, event.clientY + 12);
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
