// SPDX-License-Identifier: GPL-3.0-or-later
// Why a sign-in by others came to nothing: the server leads back here with a word for it in the address.
import { useLocation } from 'preact-iso';
import { t } from '../i18n';

const REASONS = ['denied', 'unknown', 'disabled', 'address', 'taken', 'failed', 'unreachable', 'over'] as const;

export function Refusal() {
  const said = useLocation().query['refused'];
  const reason = REASONS.find((each) => each === said);
  if (!reason) return null;
  return <p class="banner" role="alert">{t(`refused.${reason}`)}</p>;
}
