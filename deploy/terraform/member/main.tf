# The role in each member account, and with events the rules that send them to the exporter's bus:
# StackSets of the CloudFormation templates in deploy/aws, in the organization's management account.

terraform {
  required_version = ">= 1.5"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 6.0"
    }
  }
}

variable "hub_role_arn" {
  description = "The exporter's role, the output of the module hub."
  type        = string
}

variable "bus_arn" {
  description = "The exporter's bus, the output of the module hub; null without events."
  type        = string
  default     = null
}

variable "organizational_unit_ids" {
  description = "Where the accounts are: the root (r-...) or organizational units."
  type        = list(string)
}

variable "event_regions" {
  description = "The Regions whose events are sent. Root's sign-ins and IAM report to us-east-1."
  type        = list(string)
  default     = ["us-east-1"]
}

variable "role_region" {
  description = "The Region of the role's stacks, any of the organization's partition: IAM is global."
  type        = string
  default     = "us-east-1"
}

variable "parameters" {
  description = "Parameters of deploy/aws/member-role.stackset.yaml, such as OrganizationId, ExternalId and RoleName."
  type        = map(string)
  default     = {}
}

resource "aws_cloudformation_stack_set" "role" {
  name             = "aws-root-exporter"
  template_body    = file("${path.module}/../../aws/member-role.stackset.yaml")
  capabilities     = ["CAPABILITY_NAMED_IAM"]
  permission_model = "SERVICE_MANAGED"
  parameters       = merge({ HubRoleArn = var.hub_role_arn }, var.parameters)

  auto_deployment {
    enabled                          = true
    retain_stacks_on_account_removal = false
  }

  # AWS fills it in for StackSets of this kind.
  lifecycle {
    ignore_changes = [administration_role_arn]
  }
}

resource "aws_cloudformation_stack_instances" "role" {
  stack_set_name = aws_cloudformation_stack_set.role.name
  regions        = [var.role_region]

  deployment_targets {
    organizational_unit_ids = var.organizational_unit_ids
  }
}

resource "aws_cloudformation_stack_set" "events" {
  count            = var.bus_arn == null ? 0 : 1
  name             = "aws-root-exporter-events"
  template_body    = file("${path.module}/../../aws/events-member.stackset.yaml")
  capabilities     = ["CAPABILITY_NAMED_IAM"]
  permission_model = "SERVICE_MANAGED"
  parameters       = { BusArn = var.bus_arn }

  auto_deployment {
    enabled                          = true
    retain_stacks_on_account_removal = false
  }

  lifecycle {
    ignore_changes = [administration_role_arn]
  }
}

resource "aws_cloudformation_stack_instances" "events" {
  count          = var.bus_arn == null ? 0 : 1
  stack_set_name = aws_cloudformation_stack_set.events[0].name
  regions        = var.event_regions

  deployment_targets {
    organizational_unit_ids = var.organizational_unit_ids
  }
}
