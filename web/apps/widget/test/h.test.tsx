// @vitest-environment happy-dom
import { beforeEach, describe, expect, it } from 'vitest';
import { type Child, h, type Ref, render } from '../src/h.ts';

let root: HTMLElement;
beforeEach(() => {
  root = document.createElement('div');
});
const draw = (...children: Child[]): string => {
  render(root, children);
  return root.innerHTML;
};

describe('the renderer', () => {
  it('makes the page hold what it was given', () => {
    expect(draw(<p class="a">one {2}</p>, null, false, ['three'])).toBe(
      '<p class="a">one 2</p>three',
    );
    expect(draw(<p>four</p>)).toBe('<p>four</p>');
    expect(draw()).toBe('');
  });

  it('never reads text as markup', () => {
    draw(<p title={'"><img>'}>{'<img src=x onerror=alert(1)>'}</p>);
    expect(root.querySelector('img')).toBeNull();
    expect(root.textContent).toBe('<img src=x onerror=alert(1)>');
  });

  it('keeps an element that stays, whatever comes before it', () => {
    const field: Ref<HTMLTextAreaElement> = { current: null };
    const form = (isLate: boolean) => (
      <form>
        {isLate && <p>late</p>}
        <textarea ref={field} />
      </form>
    );
    draw(form(false));
    const before = field.current;
    if (before) before.value = 'typed';
    draw(form(true));
    expect(root.querySelector('textarea')).toBe(before);
    expect(root.querySelector('textarea')?.value).toBe('typed');
  });

  it('follows keys through additions, removals and moves', () => {
    const list = (keys: string) => [...keys].map((key) => <li key={key}>{key}</li>);
    draw(list('abc'));
    const [a, , c] = root.children;
    expect(draw(list('xcab'))).toBe('<li>x</li><li>c</li><li>a</li><li>b</li>');
    expect([root.children[1], root.children[2]]).toEqual([c, a]);
    expect(draw(list('ca'))).toBe('<li>c</li><li>a</li>');
    expect([...root.children]).toEqual([c, a]);
  });

  it('moves nothing when something is added at the end or taken from the front', () => {
    const list = (keys: string) => [...keys].map((key) => <li key={key}>{key}</li>);
    draw(list('abc'));
    const moved: Node[] = [];
    const insert = root.insertBefore.bind(root);
    root.insertBefore = <T extends Node>(node: T, next: Node | null): T => {
      moved.push(node);
      return insert(node, next);
    };
    draw(list('bcd'));
    expect(moved.map((node) => node.textContent)).toEqual(['d']);
    expect(root.textContent).toBe('bcd');
  });

  it('takes attributes and listeners away again', () => {
    let pressed = 0;
    const press = (): void => {
      pressed += 1;
    };
    draw(
      <button type="button" disabled title="x" onClick={press}>
        go
      </button>,
    );
    expect(root.innerHTML).toBe('<button type="button" disabled="" title="x">go</button>');
    draw(
      <button type="button" onClick={press}>
        go
      </button>,
    );
    root.querySelector('button')?.click();
    draw(<button type="button">go</button>);
    root.querySelector('button')?.click();
    expect(root.innerHTML).toBe('<button type="button">go</button>');
    expect(pressed).toBe(1);
  });

  it('gives a component its key and its children', () => {
    const Card = ({ children, name }: { children?: Child; name: string }) => (
      <section title={name}>{children}</section>
    );
    draw(
      <Card key="k" name="n">
        inside
      </Card>,
    );
    const card = root.firstElementChild;
    expect(
      draw(
        <p>before</p>,
        <Card key="k" name="m">
          inside
        </Card>,
      ),
    ).toBe('<p>before</p><section title="m">inside</section>');
    expect(root.lastElementChild).toBe(card);
  });
});
