/** Keeps a broken part from taking the whole console with it. */
import { Button } from 'antd';
import i18next from 'i18next';
import { Component, type ReactNode } from 'react';
import { Blank } from './blank.tsx';

interface Props {
  readonly children: ReactNode;
  /** A new value gives the part another chance, for example the address. */
  readonly reset: string;
}

export class Boundary extends Component<Props, { broken: boolean }> {
  override state = { broken: false };

  static getDerivedStateFromError(): { broken: boolean } {
    return { broken: true };
  }

  override componentDidUpdate(before: Props): void {
    if (this.state.broken && before.reset !== this.props.reset) this.setState({ broken: false });
  }

  override render(): ReactNode {
    if (!this.state.broken) return this.props.children;
    return (
      <Blank
        icon="alert"
        tone="fault"
        title={i18next.t('errors.crash_title')}
        text={i18next.t('errors.crash_text')}
      >
        <Button onClick={() => window.location.reload()}>{i18next.t('common.reload')}</Button>
      </Blank>
    );
  }
}
