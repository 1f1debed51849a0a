import eslint from '@eslint/js'
import tseslint from 'typescript-eslint'

export default tseslint.config(
  { ignores: ['node_modules/', '.cache/', '.data/', 'dist/'] },
  eslint.configs.recommended,
  {
    files: ['**/*.ts', 'gateway/watching/dashboard/page/*.js'],
    extends: [tseslint.configs.strictTypeChecked, tseslint.configs.stylisticTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      // node:test's describe() and it() return promises that its runner awaits by itself.
      '@typescript-eslint/no-floating-promises': [
        'error',
        {
          allowForKnownSafeCalls: [{ from: 'package', package: 'node:test', name: ['it', 'describe', 'test'] }]
        }
      ],
      // Numbers and booleans read well in a template string.
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],
      '@typescript-eslint/consistent-type-definitions': 'off',
      // `while (true)` with one exit inside is how a service loop reads best.
      '@typescript-eslint/no-unnecessary-condition': ['error', { allowConstantLoopConditions: true }]
    }
  },
  {
    files: ['**/*.mjs', '**/*.js'],
    languageOptions: { globals: { process: 'readonly', console: 'readonly', URL: 'readonly' } }
  },
  // Browsers run these; of the page tsc knows every name.
  { files: ['gateway/watching/dashboard/page/*.js'], rules: { 'no-undef': 'off' } },
  {
    files: ['test/dashboard/*.js'],
    languageOptions: { globals: { document: 'readonly', getComputedStyle: 'readonly' } }
  },
  {
    files: ['test/k6/**/*.js'],
    languageOptions: {
      globals: { __ENV: 'readonly', __VU: 'readonly', __ITER: 'readonly', open: 'readonly', console: 'readonly' }
    }
  }
)
