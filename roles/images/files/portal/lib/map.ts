// The port map as a picture: boxes for services in rows of layers, lines for flows. Pure: what is given is what is drawn.

export type Endpoint = { name: string; published: number; target: number; address: string };
export type Service = { name: string; title: string; layer: string; purpose: string; endpoints: Endpoint[] };
export type Step = { from: string; to: string; label: string };
export type Flow = { name: string; steps: Step[] };
export type Stack = { name: string; title: string; layers: Record<string, string>; services: Service[]; flows: Flow[] };

export type Box = { id: string; x: number; y: number; service?: Service };
export type Row = { title: string; y: number; height: number };
export type Line = { flow: string; from: string; to: string; label: string; path: string };
export type Drawing = { width: number; height: number; rows: Row[]; boxes: Box[]; lines: Line[] };

export const BOX = { width: 172, height: 62 };
const GAP = { x: 18, y: 66 };
const LEFT = 128;
const COLUMNS = 5;

export function layout(stack: Stack): Drawing {
  const boxes: Box[] = [];
  const rows: Row[] = [];
  let y = 20;
  // What the flows name and the stack does not have is outside of it.
  const named = new Set(stack.services.map((service) => service.name));
  const outside = [...new Set(stack.flows.flatMap((flow) => flow.steps.flatMap((step) => [step.from, step.to])))].filter(
    (name) => !named.has(name),
  );
  const place = (title: string, items: { id: string; service?: Service }[]) => {
    if (!items.length) return;
    const begin = y;
    items.forEach((item, index) => {
      const column = index % COLUMNS;
      if (index && !column) y += BOX.height + 18;
      boxes.push({ ...item, x: LEFT + column * (BOX.width + GAP.x), y });
    });
    rows.push({ title, y: begin, height: y + BOX.height - begin });
    y += BOX.height + GAP.y;
  };
  place("Outside", outside.map((id) => ({ id })));
  for (const [key, title] of Object.entries(stack.layers)) {
    const own = stack.services.filter((service) => service.layer === key);
    place(title, own.map((service) => ({ id: service.name, service })));
  }
  const at = new Map(boxes.map((box) => [box.id, box]));
  const lines = stack.flows.flatMap((flow) =>
    flow.steps.flatMap((step) => {
      const [from, to] = [at.get(step.from), at.get(step.to)];
      return from && to ? [{ flow: flow.name, ...step, path: curve(from, to) }] : [];
    }),
  );
  return { width: LEFT + COLUMNS * (BOX.width + GAP.x), height: y - GAP.y + 30, rows, boxes, lines };
}

function curve(from: Box, to: Box): string {
  const middle = (box: Box) => box.x + BOX.width / 2;
  if (from.y === to.y) {
    const right = to.x > from.x;
    const [x1, x2] = right ? [from.x + BOX.width, to.x] : [from.x, to.x + BOX.width];
    const y = from.y + BOX.height / 2;
    const bend = Math.abs(x2 - x1) > GAP.x + 1 ? BOX.height : 0;
    return `M${x1},${y} C${(x1 + x2) / 2},${y + bend} ${(x1 + x2) / 2},${y + bend} ${x2},${y}`;
  }
  const down = to.y > from.y;
  const [y1, y2] = down ? [from.y + BOX.height, to.y] : [from.y, to.y + BOX.height];
  const [x1, x2] = [middle(from), middle(to)];
  const bend = (y2 - y1) / 2;
  return `M${x1},${y1} C${x1},${y1 + bend} ${x2},${y2 - bend} ${x2},${y2}`;
}
