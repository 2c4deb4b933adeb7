import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { legible } from '../src/colour.ts';
import { pieces } from '../src/links.ts';

const hrefs = (text: string) => pieces(text).flatMap(({ href }) => (href ? [href] : []));

describe('links', () => {
  it('ends an address where the sentence goes on', () => {
    expect(hrefs('请看https://a.cn/b?c=1，谢谢')).toEqual(['https://a.cn/b?c=1']);
    expect(hrefs('(see http://a.cn/b).')).toEqual(['http://a.cn/b']);
    expect(hrefs('https://a.cn这个页面')).toEqual(['https://a.cn']);
  });

  it('makes nothing else a link', () => {
    expect(hrefs('javascript:alert(1) data:text/html,x www.a.cn ftp://a.cn')).toEqual([]);
  });

  it('loses not a character', () => {
    const text = fc
      .array(fc.oneof(fc.string(), fc.webUrl(), fc.constant('，')))
      .map((all) => all.join(''));
    fc.assert(
      fc.property(text, (given) => {
        const found = pieces(given);
        expect(found.map((piece) => piece.text).join('')).toBe(given);
        for (const { href } of found) expect(href).toMatch(/^(https?:\/\/.*)?$/i);
      }),
    );
  });
});

describe('a site’s colour', () => {
  it('is darkened until white is readable on it, and no further', () => {
    expect(legible('#08706a')).toBe('#08706a');
    expect(legible('#ffcc00')).not.toBe('#ffcc00');
    expect(legible('red')).toBeNull();
    expect(legible('#000;x:y')).toBeNull();
  });
});
