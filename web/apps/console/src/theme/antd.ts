/** antd in our colours. Owns the mapping from the shared palette to antd's tokens; components are never restyled one by one. */
import { dark, light, type Palette } from '@qingniao/ui/tokens';
import { type ThemeConfig, theme } from 'antd';

type Token = NonNullable<ThemeConfig['token']>;

function themeOf(palette: Palette, rest: Token): Token {
  return {
    borderRadius: 8,
    borderRadiusLG: 12,
    controlHeight: 34,
    fontSize: 14,
    lineHeight: 1.55,
    fontFamily: 'var(--font)',
    motionDurationFast: '0.1s',
    motionDurationMid: '0.15s',
    motionDurationSlow: '0.2s',
    colorPrimary: palette.brandSolid,
    colorInfo: palette.blue,
    colorWarning: palette.amber,
    colorError: palette.redText,
    colorLink: palette.brandText,
    colorText: palette.ink,
    colorTextSecondary: palette.ink2,
    colorTextTertiary: palette.ink3,
    colorBorderSecondary: palette.line,
    colorBgLayout: palette.ground,
    ...rest,
  };
}

type Components = NonNullable<ThemeConfig['components']>;

/** Flat buttons: what can be pressed is told by its fill, which darkens under the pointer so that its words stay read. */
function componentsOf(palette: Palette): Components {
  return {
    Button: {
      primaryShadow: 'none',
      defaultShadow: 'none',
      dangerShadow: 'none',
      colorPrimaryHover: palette.brandDeep,
      colorPrimaryActive: palette.brandDeep,
    },
  };
}

const LIGHT: ThemeConfig = {
  components: componentsOf(light),
  algorithm: theme.defaultAlgorithm,
  token: themeOf(light, { colorTextPlaceholder: '#667780', colorBorder: '#d3dce0' }),
};

const DARK: ThemeConfig = {
  components: {
    ...componentsOf(dark),
    Segmented: { itemSelectedBg: '#2b3a41', trackBg: '#0f171a' },
  },
  algorithm: theme.darkAlgorithm,
  token: themeOf(dark, {
    colorTextPlaceholder: '#8d9ca4',
    colorBorder: '#37464e',
    colorBgBase: dark.surface,
    // The algorithm would derive these tinted.
    colorBgContainer: '#18232a',
    colorBgElevated: '#1a252b',
    colorBorderDisabled: '#37464e',
  }),
};

/** `isCalm`: without motion. antd waits for its animations to end, so CSS alone must not cut them short. */
export function themeFor(isDark: boolean, isCalm: boolean): ThemeConfig {
  const theme = isDark ? DARK : LIGHT;
  return isCalm ? { ...theme, token: { ...theme.token, motion: false } } : theme;
}
