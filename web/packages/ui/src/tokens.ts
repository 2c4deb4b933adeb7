/** The look as data, for themes that are computed in TypeScript. Mirrors `tokens.css`; a test compares. */

export interface Palette {
  readonly brand: string;
  readonly brandDeep: string;
  readonly brandSolid: string;
  readonly brandText: string;
  readonly brandTint: string;
  readonly ink: string;
  readonly ink2: string;
  readonly ink3: string;
  readonly line: string;
  readonly ground: string;
  readonly surface: string;
  readonly bubble: string;
  readonly rail: string;
  readonly amber: string;
  readonly amberText: string;
  readonly amberTint: string;
  readonly red: string;
  readonly redText: string;
  readonly redTint: string;
  readonly blue: string;
  readonly blueText: string;
  readonly blueTint: string;
  readonly violet: string;
  readonly violetText: string;
  readonly violetTint: string;
  readonly green: string;
}

export const light: Palette = {
  brand: '#0b8f87',
  brandDeep: '#08706a',
  brandSolid: '#0a7f78',
  brandText: '#08706a',
  brandTint: '#e4f4f2',
  ink: '#14232b',
  ink2: '#51636d',
  ink3: '#61717a',
  line: '#e5eaed',
  ground: '#f6f8f9',
  surface: '#fff',
  bubble: '#f1f5f6',
  rail: '#0f2a30',
  amber: '#d98a1b',
  amberText: '#8f5606',
  amberTint: '#fdf3e2',
  red: '#cf3f57',
  redText: '#b32c44',
  redTint: '#fdebee',
  blue: '#2f6fd0',
  blueText: '#245db4',
  blueTint: '#e9f1fd',
  violet: '#7a56c8',
  violetText: '#6640b6',
  violetTint: '#f1ecfb',
  green: '#2f9e5b',
};

export const dark: Palette = {
  ...light,
  brand: '#2bb3a9',
  brandDeep: '#0b6660',
  brandSolid: '#0c7b74',
  brandText: '#5fd0c6',
  brandTint: '#12312f',
  ink: '#e8eef0',
  ink2: '#a9b7bd',
  ink3: '#8d9ca4',
  line: '#26343a',
  ground: '#0e1518',
  surface: '#141d21',
  bubble: '#202b30',
  rail: '#0a1a1e',
  amberText: '#e9b35f',
  amberTint: '#33270f',
  redText: '#f08a9b',
  redTint: '#3a1a21',
  blueText: '#86b1f2',
  blueTint: '#172840',
  violetText: '#b9a0ee',
  violetTint: '#2a2140',
};
