// SPDX-License-Identifier: GPL-3.0-or-later
// The house rules that a machine can check: no `any`, `as` and fetch in api.ts alone, each library
// behind one file, short files.
import ts from 'typescript-eslint';

const oneDoor = [
  { name: 'hls.js', message: 'hls.js is imported by watch/hls.ts alone.' },
];

export default ts.config(
  { ignores: ['dist', 'out', 'tools', 'src/api-types.ts'] },
  ...ts.configs.strictTypeChecked,
  {
    languageOptions: {
      parserOptions: { projectService: { allowDefaultProject: ['eslint.config.js'] } },
    },
    rules: {
      '@typescript-eslint/consistent-type-assertions': ['error', { assertionStyle: 'never' }],
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true, ignoreVoidReturningFunctions: true }],
      '@typescript-eslint/unbound-method': 'off',
      'max-lines': ['error', { max: 200, skipBlankLines: true, skipComments: true }],
      'no-restricted-globals': ['error',
        { name: 'fetch', message: 'Only api.ts fetches.' },
        { name: 'EventSource', message: 'Only api.ts fetches.' },
        { name: 'XMLHttpRequest', message: 'Only api.ts fetches.' }],
      'no-restricted-imports': ['error', { paths: oneDoor }],
      'no-restricted-syntax': ['error',
        { selector: 'AssignmentExpression[left.property.name=innerHTML]', message: 'Text by textContent.' },
        { selector: 'JSXAttribute[name.name=dangerouslySetInnerHTML]', message: 'Text by textContent.' }],
      eqeqeq: 'error',
    },
  },
  {
    files: ['src/api.ts'],
    rules: {
      '@typescript-eslint/consistent-type-assertions': 'off',
      'no-restricted-globals': 'off',
    },
  },
  { files: ['src/watch/hls.ts'], rules: { 'no-restricted-imports': 'off' } },
  { files: ['**/*.test.{ts,tsx}'], rules: { 'max-lines': 'off' } },
  { files: ['**/*.js'], ...ts.configs.disableTypeChecked },
);
