// Package registry pins the second registry that images are pushed to by the tests.
package registry
