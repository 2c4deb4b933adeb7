/** A labelled input with its hint and its fault below, tied together for screen readers. */
import { Input, type InputRef } from 'antd';
import { type ReactNode, type Ref, useId, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { Icon } from '../parts/icon.tsx';

interface FieldProps {
  readonly label: string;
  readonly value: string;
  readonly onChange: (value: string) => void;
  readonly fault?: string | undefined;
  readonly hint?: ReactNode;
  readonly secret?: boolean;
  readonly autoComplete?: string;
  readonly autoFocus?: boolean;
  readonly maxLength?: number;
  readonly inputRef?: Ref<InputRef>;
}

export function Field(props: FieldProps) {
  const { label, value, onChange, fault, hint, secret = false, maxLength = 200 } = props;
  const { t } = useTranslation();
  const id = useId();
  const [isShown, setShown] = useState(false);
  const about = fault !== undefined || hint !== undefined ? `${id}-about` : undefined;
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      <Input
        id={id}
        size="large"
        type={secret && !isShown ? 'password' : 'text'}
        value={value}
        maxLength={maxLength}
        onChange={(event) => onChange(event.target.value)}
        autoComplete={props.autoComplete ?? 'off'}
        autoCapitalize="none"
        spellCheck={false}
        aria-invalid={fault !== undefined}
        {...(props.inputRef === undefined ? {} : { ref: props.inputRef })}
        {...(about === undefined ? {} : { 'aria-describedby': about })}
        {...(fault === undefined ? {} : { status: 'error' as const })}
        {...(props.autoFocus === true ? { autoFocus: true } : {})}
        suffix={
          secret ? (
            <button
              type="button"
              className="plain-button field-eye"
              aria-label={t(isShown ? 'signin.hide' : 'signin.show')}
              aria-pressed={isShown}
              onClick={() => setShown(!isShown)}
            >
              <Icon name={isShown ? 'blind' : 'eye'} />
            </button>
          ) : undefined
        }
      />
      {about !== undefined && (
        <div id={about} className={fault === undefined ? 'field-hint' : 'field-fault'}>
          {fault ?? hint}
        </div>
      )}
    </div>
  );
}
