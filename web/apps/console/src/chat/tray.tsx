/** The files that will go with the next message. */
import { useTranslation } from 'react-i18next';
import { fileSize } from '../format/size.ts';
import { Icon } from '../parts/icon.tsx';
import { fileUrl, isImage } from './bodies.ts';
import type { Uploads } from './uploads.ts';

export function Tray({ uploads }: { uploads: Uploads }) {
  const { t } = useTranslation();
  if (uploads.tray.length === 0) return null;
  return (
    <ul className="tray">
      {uploads.tray.map(({ key, name, size, file }) => (
        <li key={key} aria-busy={file === null}>
          {file !== null && isImage(file) ? (
            <img src={fileUrl(file)} alt="" width={36} height={36} />
          ) : (
            <span className="file-sign">
              <Icon name={file === null ? 'upload' : 'file'} size={18} />
            </span>
          )}
          <span className="file-words">
            <span className="file-name clip">{name}</span>
            <span className="file-size">
              {file === null ? t('composer.uploading', { name: fileSize(size) }) : fileSize(size)}
            </span>
          </span>
          <button
            type="button"
            className="plain-button"
            aria-label={t('composer.remove', { name })}
            onClick={() => uploads.remove(key)}
          >
            <Icon name="close" size={14} />
          </button>
        </li>
      ))}
    </ul>
  );
}
