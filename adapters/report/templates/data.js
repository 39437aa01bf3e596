// The page's data, unpacked, and the one way in which text gets into the document: as text.

const byId = (id) => document.getElementById(id);

// An element with attributes and children. Strings become text nodes, so that nothing in them is ever markup.
function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === false || value === null || value === undefined) continue;
    node.setAttribute(name, value === true ? '' : value);
  }
  node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== ''));
  return node;
}

// Base64 of gzip to text.
async function unpack(id) {
  const binary = atob(byId(id).textContent);
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < binary.length; i++) bytes[i] = binary.charCodeAt(i);
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream('gzip'))).text();
}

let unpackedDetails = null;

// Map from a question's number to its texts; unpacked when they are first asked for.
function details() {
  unpackedDetails ??= unpack('details-data').then((text) => {
    const found = new Map();
    for (const line of text.split('\n')) {
      if (!line) continue;
      const question = JSON.parse(line);
      found.set(question.k, question);
    }
    return found;
  });
  return unpackedDetails;
}

const DASH = '–';
const missing = (x) => x === null || x === undefined;
const minus = (text) => text.replace('-', '−');

function plain(x) {
  if (missing(x)) return DASH;
  const size = Math.abs(x);
  if (size >= 1e6) return minus(x.toExponential(2));
  if (size >= 1000) return minus(Math.round(x).toLocaleString('en-US'));
  return minus(x.toFixed(size >= 100 ? 1 : 2));
}

// A number with its sign, since the sign is what is read first; what rounds to nothing has none.
function signed(x) {
  if (missing(x)) return DASH;
  const text = plain(x);
  if (!/[1-9]/.test(text)) return text.replace('−', '');
  return x > 0 ? '+' + text : text;
}

function percent(x, places = 0) {
  return missing(x) ? DASH : minus((100 * x).toFixed(places)) + '\u00a0%';
}
