// Connected components of a mask, and its dilation: as inkling/vision/connected_components.py and pooling.py define them.

/** Return the components of what is not 0 in a picture (side x side); pixels that touch at a corner belong together.
 *
 * {of: the number of each pixel's component, 0 for none; count; areas; boxes}; numbered by their first pixel. */
export function labeled(mask, side) {
  const of = new Uint16Array(mask.length);
  const [areas, boxes] = [[], []];
  for (let start = 0; start < mask.length; start++) {
    if (!mask[start] || of[start]) continue;
    const number = areas.push(0);
    boxes.push(fill(mask, side, start, number, of, areas));
  }
  return { of, count: areas.length, areas, boxes };
}

/** Number a component from one of its pixels on, count its area and return its box. */
function fill(mask, side, start, number, of, areas) {
  const box = emptyBox();
  const open = [start];
  of[start] = number;
  while (open.length) {
    const i = open.pop();
    const [x, y] = [i % side, Math.floor(i / side)];
    areas[number - 1] += 1;
    extend(box, x, y);
    for (let v = Math.max(0, y - 1); v <= Math.min(mask.length / side - 1, y + 1); v++) {
      for (let u = Math.max(0, x - 1); u <= Math.min(side - 1, x + 1); u++) {
        const j = v * side + u;
        if (!mask[j] || of[j]) continue;
        of[j] = number;
        open.push(j);
      }
    }
  }
  return box;
}

export function emptyBox() {
  return { left: Infinity, top: Infinity, right: 0, bottom: 0 };
}

/** Extend a box to a pixel; its right and bottom are the first pixels outside. */
export function extend(box, x, y) {
  box.left = Math.min(box.left, x);
  box.top = Math.min(box.top, y);
  box.right = Math.max(box.right, x + 1);
  box.bottom = Math.max(box.bottom, y + 1);
}

/** Return where a pixel that is not 0 lies within `radius` pixels: dilation by a square. */
export function dilated(mask, side, radius) {
  return spread(spread(mask, side, radius, 1, side), side, radius, side, 1);
}

function spread(mask, side, radius, step, lineStep) {
  const result = new Uint8Array(mask.length);
  for (let line = 0; line < side; line++) {
    for (let at = 0; at < side; at++) {
      if (!mask[line * lineStep + at * step]) continue;
      const last = Math.min(side - 1, at + radius);
      for (let near = Math.max(0, at - radius); near <= last; near++) result[line * lineStep + near * step] = 1;
    }
  }
  return result;
}
