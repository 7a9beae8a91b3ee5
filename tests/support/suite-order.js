'use strict';

// Jest does not compile it: hence no TypeScript
const { default: Sequencer } = require('@jest/test-sequencer');

/**
 * Suites of whole services first: they take up to two minutes, those of units seconds, and one that is long
 * and last leaves all cores but one without work.
 */
module.exports = class SuiteOrder extends Sequencer {
  sort(tests) {
    const isUnit = ({ path }) => path.includes('/tests/unit/');
    const sorted = super.sort(tests);
    return [...sorted.filter((test) => !isUnit(test)), ...sorted.filter(isUnit)];
  }
};
