import eslint from '@eslint/js'
import importX from 'eslint-plugin-import-x'
import tseslint from 'typescript-eslint'

const SERVICES = ['gateway', 'processor-worker', 'health-monitor']

/** Who may not import whom: services meet only in Redis and shared/, and the product knows nothing of those who watch it. */
const ZONES = [
  ...SERVICES.map(service => ({
    target: `./${service}`,
    from: ['.'],
    except: [`./${service}`, './shared', './node_modules'],
    message: 'A service imports itself and shared/ only.'
  })),
  { target: './shared', from: ['.'], except: ['./shared', './node_modules'], message: 'shared/ imports itself only.' },
  { target: './shared/redis', from: './shared/watching', message: 'What watches imports what it watches.' }
]

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
        { allowForKnownSafeCalls: [{ from: 'package', package: 'node:test', name: ['it', 'describe', 'test'] }] }
      ],
      // Numbers and booleans read well in a template string.
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],
      '@typescript-eslint/consistent-type-definitions': 'off',
      // `() => client.disconnect()` is one line, and nobody takes its result for one.
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      // `while (true)` with one exit inside is how a service loop reads best.
      '@typescript-eslint/no-unnecessary-condition': ['error', { allowConstantLoopConditions: true }]
    }
  },
  {
    files: ['**/*.ts'],
    plugins: { 'import-x': importX },
    settings: {
      'import-x/extensions': ['.ts'],
      'import-x/parsers': { '@typescript-eslint/parser': ['.ts'] },
      'import-x/resolver-next': [importX.createNodeResolver({ extensions: ['.ts', '.js'] })]
    },
    rules: {
      'import-x/no-cycle': 'error',
      'import-x/no-restricted-paths': ['error', { zones: ZONES, basePath: import.meta.dirname }]
    }
  },
  {
    files: ['gateway/**/*.ts', 'processor-worker/**/*.ts', 'health-monitor/**/*.ts', 'shared/**/*.ts'],
    rules: { 'max-lines-per-function': ['error', { max: 70, skipComments: true }] }
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
