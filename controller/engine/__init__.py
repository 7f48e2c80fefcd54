"""The imperative shell: gather the inputs, call one pure function, carry out its answer."""
