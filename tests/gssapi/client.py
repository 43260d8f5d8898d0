# SPDX-License-Identifier: ISC
"""A client of GSSAPI in a private host: requests as lines of JSON, one answer each."""

import base64
import json
import sys

import gssapi

FLAGS = gssapi.RequirementFlag


def start(user, service="pop@pophost.example.org", mutual=True, delegate=False):
    cred = gssapi.Credentials(usage="initiate", store={
        "ccache": "FILE:/tmp/cc-" + user.replace("/", "-")})
    flags = FLAGS.integrity | FLAGS.out_of_sequence_detection
    if delegate:
        flags |= FLAGS.delegate_to_peer
    return gssapi.SecurityContext(
        name=gssapi.Name(service, gssapi.NameType.hostbased_service),
        creds=cred, usage="initiate", mech=gssapi.MechType.kerberos,
        flags=flags | FLAGS.mutual_authentication if mutual else flags)


def main():
    context = None
    for line in sys.stdin:
        order, octets, args = json.loads(line)
        octets = base64.b64decode(octets)
        if order == "start":
            context = start(**args)
            octets = context.step()
        elif order == "step":
            octets = context.step(octets) or b""
        elif order == "wrap":
            octets = context.wrap(octets, False).message
        else:
            octets = context.unwrap(octets).message
        print(json.dumps(base64.b64encode(octets).decode()), flush=True)


main()
