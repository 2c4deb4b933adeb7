/**
 * Markup as functions of state, in the kilobyte the panel can spare. Owns the difference between
 * what is on the page and what should be; refuses component state, effects and markup in strings.
 *
 * Rule: an element with the same tag and key (else place) stays the same element, is never moved
 * without need, and so keeps its focus, its scroll position and what was typed.
 */

export interface Ref<T> {
  current: T | null;
}
type Props = Readonly<Record<string, unknown>>;
interface Tag {
  readonly name: string;
  readonly key: unknown;
  readonly props: Props;
  readonly children: readonly Child[];
}
export type Child = Tag | string | number | boolean | null | undefined | readonly Child[];
type Component<P> = (props: P) => Child;

interface Held {
  readonly node: Element | Text;
  props: Props;
}

const held = new WeakMap<Element, Map<string, Held>>();
const NONE: Props = {};
const SVG = 'http://www.w3.org/2000/svg';
const isDrawing = (name: string): boolean => name === 'svg' || name === 'path';

/** What JSX calls: a component at once becomes what it draws. */
export function h<P extends Props>(
  type: string | Component<P>,
  props: P | null,
  ...children: Child[]
): Child {
  const given = props ?? (NONE as P);
  if (typeof type === 'string') return { name: type, key: given.key, props: given, children };
  const drawn = type({ ...given, children });
  const isTag = typeof drawn === 'object' && drawn !== null && 'name' in drawn;
  return isTag ? { ...drawn, key: drawn.key ?? given.key } : drawn;
}

/** Makes `parent` hold exactly `children`. */
export function render(parent: Element, children: readonly Child[]): void {
  const before = held.get(parent) ?? new Map<string, Held>();
  const after = new Map<string, Held>();
  const wanted = name(children, '');
  for (const [id, { node }] of before) if (!wanted.has(id)) node.remove();
  let next: ChildNode | null = parent.firstChild;
  for (const [id, child] of wanted) {
    const one = before.get(id) ?? create(child);
    after.set(id, one);
    if (one.node === next) next = next.nextSibling;
    else parent.insertBefore(one.node, next);
    if (typeof child === 'string') {
      if (one.node.nodeValue !== child) one.node.nodeValue = child;
    } else {
      assign(one.node as Element, one.props, child.props);
      one.props = child.props;
      render(one.node as Element, child.children);
    }
  }
  held.set(parent, after);
}

/** Children by identity. What is left out keeps its place, so that those after it keep theirs. */
function name(
  children: readonly Child[],
  path: string,
  found: Map<string, Tag | string> = new Map(),
): Map<string, Tag | string> {
  children.forEach((child, index) => {
    if (child === null || child === undefined || typeof child === 'boolean') return;
    const place = `${path}/${index}`;
    if (typeof child !== 'object') found.set(place, `${child}`);
    else if ('name' in child) found.set(`${path}/${child.key ?? index}<${child.name}`, child);
    else name(child, place, found);
  });
  return found;
}

function create(child: Tag | string): Held {
  if (typeof child === 'string') return { node: document.createTextNode(child), props: NONE };
  const node = isDrawing(child.name)
    ? document.createElementNS(SVG, child.name)
    : document.createElement(child.name);
  const ref = child.props.ref as Ref<Element> | undefined;
  if (ref) ref.current = node;
  return { node, props: NONE };
}

function assign(node: Element, before: Props, after: Props): void {
  for (const key in { ...before, ...after }) {
    const value = after[key];
    if (value === before[key] || key === 'key' || key === 'ref') continue;
    if (key.startsWith('on') || key === 'value' || key === 'checked') {
      Object.assign(node, { [key.toLowerCase()]: value ?? null });
    } else if (value === undefined || value === null || value === false) node.removeAttribute(key);
    else node.setAttribute(key, value === true ? '' : `${value}`);
  }
}
