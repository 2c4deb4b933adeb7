/** What TypeScript may expect of JSX here: native names, and events that know their element. */

import type { Child, Ref } from './h.ts';

type On<E, T extends Event> = (event: T & { readonly currentTarget: E }) => void;

interface Attributes<E> {
  readonly [name: `aria-${string}`]: string | number | boolean | undefined;
  readonly key?: string | number;
  readonly ref?: Ref<E>;
  readonly class?: string;
  readonly id?: string;
  readonly role?: string;
  readonly tabIndex?: number;
  readonly title?: string;
  readonly hidden?: boolean;
  readonly disabled?: boolean;
  readonly type?: string;
  readonly name?: string;
  readonly value?: string | number;
  readonly checked?: boolean;
  readonly multiple?: boolean;
  readonly maxLength?: number;
  readonly max?: number;
  readonly rows?: number;
  readonly placeholder?: string;
  readonly enterkeyhint?: string;
  readonly href?: string;
  readonly target?: string;
  readonly rel?: string;
  readonly src?: string;
  readonly alt?: string;
  readonly width?: number | undefined;
  readonly height?: number | undefined;
  readonly loading?: string;
  readonly viewBox?: string;
  readonly d?: string;
  readonly onClick?: On<E, MouseEvent>;
  readonly onInput?: On<E, Event>;
  readonly onChange?: On<E, Event>;
  readonly onSubmit?: On<E, SubmitEvent>;
  readonly onKeyDown?: On<E, KeyboardEvent>;
  readonly onPaste?: On<E, ClipboardEvent>;
  readonly onBlur?: On<E, FocusEvent>;
  readonly onScroll?: On<E, Event>;
  readonly onError?: On<E, Event>;
  readonly children?: Child;
}

type Elements = HTMLElementTagNameMap & Pick<SVGElementTagNameMap, 'svg' | 'path'>;

declare global {
  namespace JSX {
    type Element = Child;
    type IntrinsicElements = { [T in keyof Elements]: Attributes<Elements[T]> };
    interface IntrinsicAttributes {
      readonly key?: string | number;
    }
    interface ElementChildrenAttribute {
      readonly children: unknown;
    }
  }
}
