// Package kustomize pins the program with which the tests read the manifests as `kubectl apply -k` does.
package kustomize
