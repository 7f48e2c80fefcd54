//go:build tools

package registry

import _ "github.com/olareg/olareg/cmd/olareg"
