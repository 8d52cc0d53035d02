"""FileStore: the files of the SBCs, in a bucket that only their machines read."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pulumi
import pulumi_aws.kms as kms
import pulumi_aws.s3 as s3

from callplane_stacks.aws.network import tags


class FileStore(pulumi.ComponentResource):
    """A bucket with a key of its own; every file of every SBC is an object of it."""

    def __init__(self, name: str, options: pulumi.ResourceOptions) -> None:
        super().__init__("callplane:aws:FileStore", name, None, options)
        self._here = here = pulumi.ResourceOptions(parent=self)
        key = kms.Key(
            name,
            description="Files and disks of the SBCs of Callplane",
            enable_key_rotation=True,
            deletion_window_in_days=30,
            tags=tags(name),
            # Records that nobody has taken lie on disks that nobody could read without it.
            opts=pulumi.ResourceOptions(parent=self, protect=True),
        )
        bucket = s3.Bucket(name, tags=tags(name), opts=here)
        closed = s3.BucketPublicAccessBlock(
            name,
            bucket=bucket.id,
            block_public_acls=True,
            block_public_policy=True,
            ignore_public_acls=True,
            restrict_public_buckets=True,
            opts=here,
        )
        sealed = s3.BucketServerSideEncryptionConfiguration(
            name,
            bucket=bucket.id,
            rules=[
                {
                    "apply_server_side_encryption_by_default": {
                        "sse_algorithm": "aws:kms",
                        "kms_master_key_id": key.arn,
                    },
                    "bucket_key_enabled": True,
                }
            ],
            opts=here,
        )
        s3.BucketVersioning(
            name,
            bucket=bucket.id,
            versioning_configuration=s3.BucketVersioningVersioningConfigurationArgs(
                status="Enabled"
            ),
            opts=here,
        )
        s3.BucketPolicy(
            name, bucket=bucket.id, policy=bucket.arn.apply(_encrypted_ways_only), opts=here
        )
        self.bucket: pulumi.Output[str] = bucket.id
        self.bucket_arn: pulumi.Output[str] = bucket.arn
        self.key_arn: pulumi.Output[str] = key.arn
        self._ready = [closed, sealed]
        self.register_outputs({"bucket": bucket.id})

    def put(self, owner: str, files: Mapping[str, pulumi.Input[str]]) -> list[pulumi.Resource]:
        """Store the files of one SBC under its name."""
        return [
            s3.BucketObjectv2(
                f"{owner}-{name}",
                bucket=self.bucket,
                key=f"{owner}/{name}",
                content=content,
                content_type="text/plain; charset=utf-8",
                server_side_encryption="aws:kms",
                kms_key_id=self.key_arn,
                opts=pulumi.ResourceOptions(parent=self, depends_on=list(self._ready)),
            )
            for name, content in files.items()
        ]


def _encrypted_ways_only(arn: str) -> str:
    statement = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [arn, f"{arn}/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})
