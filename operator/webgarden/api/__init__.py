"""The resources of `webgarden.dev/v1alpha1` as frozen models, and the CRDs that are generated from them.

The models are the one place where a field exists: its name, default, range, description and admission rules. Reading
is lenient (unknown fields are ignored), because the CRD may be newer than the operator; a field that a model does not
know is a field that does nothing, so the generated schema does not have it either and the API server prunes or refuses
it.
"""
